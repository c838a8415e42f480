/// Where the references of an answer that lead to the upstream lead through the proxy: what `Location`,
/// `Content-Location` and `Link` say for a client that knows the upstream by another name.
public struct LinkMap: Sendable {
  /// A part of a server, as references name it.
  public struct Upstream: Sendable {
    let scheme: RequestTarget.Scheme
    let host: [UInt8]
    let kind: Authority.Kind
    let port: UInt16
    let basePath: [UInt8]

    /// - Parameter host: a name without a dot at its end, or an address, that of IPv6 without brackets.
    /// - Parameter basePath: what comes before every path there: empty, or a path without a slash at its end.
    public init(scheme: RequestTarget.Scheme, host: String, port: UInt16, basePath: [UInt8]) {
      let written = Array((host.contains(":") ? "[\(host)]" : host).utf8)
      let authority = try? Authority.parse(written.span, ByteRange(0..<written.count))
      self.scheme = scheme
      self.host = Array(host.utf8)
      // What is no host is the name of none, and no reference has it.
      kind = authority?.kind ?? .name
      self.port = port
      self.basePath = basePath
    }
  }

  let upstream: Upstream
  /// Scheme and authority by which the client asks for it; empty where the client named none.
  let origin: [UInt8]
  /// What the client puts before every path there: empty, or a path without a slash at its end.
  let mount: [UInt8]

  /// - Parameter scheme: that of the URLs by which the client calls the proxy.
  /// - Parameter authority: whom it asks for, within `bytes`; nil where it does not say, and then references become paths.
  public init(
    _ upstream: Upstream, scheme: RequestTarget.Scheme, authority: Authority?, _ bytes: Span<UInt8>, mount: Span<UInt8>
  ) {
    self.upstream = upstream
    self.mount = mount.indices.map { mount[$0] }
    guard let authority else {
      origin = []
      return
    }
    var origin = Array((scheme == .https ? "https://" : "http://").utf8)
    if authority.isIPv6Literal { origin.append(UInt8(ascii: "[")) }
    for offset in authority.host.range { origin.append(bytes[offset]) }
    if authority.isIPv6Literal { origin.append(UInt8(ascii: "]")) }
    if let port = authority.port { origin += Array(":\(port)".utf8) }
    self.origin = origin
  }
}
