internal import Encodings

/// Where a reference in a request leads, such as the one in `Destination` (RFC 4918 section 10.3), for a client that addresses
/// the upstream by the proxy's name.
public enum ClientReference: Equatable, Sendable {
  /// It does not lead below the mount on the request's server: it has another host, or a path elsewhere, or a path that no
  /// request could have.
  case foreign
  /// It names the request's server, but a path that is not below the mount.
  case outside
  /// It leads below the mount: `rest` is what follows the mount, with the query.
  case inside(rest: ByteRange, namesServer: Bool)

  /// Classifies the reference at `range` of `bytes`, in a request for `authority`.
  ///
  /// - Parameter scheme: the scheme of the client's URL. A reference may have the other one: a server in front of the proxy may
  ///   have terminated TLS.
  /// - Parameter mount: where the mount is in `bytes`, as the client wrote it.
  public init(
    _ range: ByteRange, _ bytes: Span<UInt8>, for authority: Authority?, scheme: RequestTarget.Scheme, mount: Range<Int>
  ) {
    self = .foreign
    guard let reference = Self.parse(range, bytes) else { return }
    let namesServer = reference.form == .absolute
    if namesServer {
      guard let authority, let named = reference.authority, Self.isSame(named, authority, bytes) else { return }
      let port = named.port ?? reference.scheme?.defaultPort
      guard named.port == authority.port || port == authority.port ?? scheme.defaultPort else { return }
    }
    let path = reference.path.range
    let isBelow = path.count >= mount.count && zip(path, mount).allSatisfy { bytes[$0] == bytes[$1] }
    let start = path.lowerBound + mount.count
    guard isBelow, start == path.upperBound || bytes[start] == UInt8(ascii: "/") else {
      if namesServer { self = .outside }
      return
    }
    self = .inside(rest: ByteRange(start..<Int(range.end)), namesServer: namesServer)
  }

  private static func parse(_ range: ByteRange, _ bytes: Span<UInt8>) -> RequestTarget? {
    do throws(WireError) {
      let target = try RequestTarget.parse(bytes, target: range, method: .get)
      return target.form == .origin || target.form == .absolute ? target : nil
    } catch {
      // It does not matter which rule it breaks.
      return nil
    }
  }

  private static func isSame(_ one: Authority, _ other: Authority, _ bytes: Span<UInt8>) -> Bool {
    guard one.kind == .name, other.kind == .name else { return one.kind == other.kind }
    return bytes.equalsIgnoringCase(one.nameWithoutDot, other.nameWithoutDot)
  }
}

extension LinkMap.Upstream {
  /// The reference to `rest` of `bytes`, below the base path; nil if it could be read as a reference to another server.
  ///
  /// - Parameter namesServer: whether it begins with scheme and authority.
  public func reference(to rest: ByteRange, _ bytes: Span<UInt8>, namesServer: Bool) -> [UInt8]? {
    var reference: [UInt8] = []
    if namesServer {
      reference = Array((scheme == .https ? "https://" : "http://").utf8)
      let isIPv6 = if case .ipv6 = kind { true } else { false }
      if isIPv6 { reference.append(UInt8(ascii: "[")) }
      reference += host
      if isIPv6 { reference.append(UInt8(ascii: "]")) }
      if port != scheme.defaultPort { reference += Array(":\(port)".utf8) }
    }
    let start = Int(rest.start)
    let beginsWithSlash = start < Int(rest.end) && bytes[start] == UInt8(ascii: "/")
    if !namesServer, basePath.isEmpty, beginsWithSlash, start + 1 < Int(rest.end), bytes[start + 1] == UInt8(ascii: "/")
    {
      return nil
    }
    reference += basePath
    if !beginsWithSlash { reference.append(UInt8(ascii: "/")) }
    for offset in rest.range { reference.append(bytes[offset]) }
    return reference
  }
}
