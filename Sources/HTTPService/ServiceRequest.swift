internal import Bytes
internal import HTTPWire
public import Reactor

/// A complete request.
public struct ServiceRequest: Sendable {
  /// The method as it was sent; methods are case-sensitive (RFC 9110 section 9.1).
  public let method: String
  /// The request target as it was sent.
  public let target: String
  /// The path of the target, percent-encoded as it was sent; `*` for the asterisk form.
  public let path: String
  /// The part of the target after its first `?`, if there is one.
  public let query: String?
  /// The field lines in the order in which they arrived.
  public let fields: [ServiceField]
  /// The body, without its transfer coding.
  public internal(set) var body: [UInt8]
  /// The client, as the kernel reports it; nil if the request did not come from a socket.
  public let peer: SocketPeer?

  /// A request whose target is in origin form.
  public init(
    method: String, path: String, query: String? = nil, fields: [ServiceField] = [], body: [UInt8] = []
  ) {
    self.init(
      method: method, target: path + (query.map { "?" + $0 } ?? ""), path: path, query: query, fields: fields,
      body: body, peer: nil)
  }

  init(
    method: String, target: String, path: String, query: String?, fields: [ServiceField], body: [UInt8],
    peer: SocketPeer?
  ) {
    self.method = method
    self.target = target
    self.path = path
    self.query = query
    self.fields = fields
    self.body = body
    self.peer = peer
  }

  /// The values of the field lines called `name`, ignoring case, in order.
  public func values(of name: String) -> [String] {
    let wanted = name.lowercased()
    return fields.filter { $0.name.lowercased() == wanted }.map(\.value)
  }
}

/// What to do with requests that a browser sends for a page of another site.
enum WebPageRule {
  /// Serve them like any other.
  case serve
  /// Reject them. On a loopback address, also reject a request whose host name does not mean this machine: a browser sends one
  /// when DNS resolves the name of a page to this address (DNS rebinding).
  case refuseForeign(isLoopback: Bool)

  /// The response that rejects the request; nil if it may be served.
  func refusal(of head: borrowing RequestHead, _ target: RequestTarget, _ bytes: Span<UInt8>) -> ServiceResponse? {
    guard case .refuseForeign(let isLoopback) = self else { return nil }
    switch head.foreignPageSign(bytes, target: target, isSecure: false) {
    case nil: break
    case .site(let value): return Self.page("Sec-Fetch-Site: \(Self.text(bytes, value))")
    case .origin(let value): return Self.page("Origin: \(Self.text(bytes, value))")
    }
    guard isLoopback else { return nil }
    // An acceptable host in the target does not make up for a foreign Host, nor the other way round.
    for authority in [target.authority, head.authority] {
      guard let authority, !authority.isThisMachine(bytes) else { continue }
      return .text(
        403,
        "This listener was called \(Self.text(bytes, authority.host)), which is not a name of this machine: DNS rebinding "
          + "looks like that. Call it 127.0.0.1, [::1] or localhost.")
    }
    return nil
  }

  private static func page(_ sign: String) -> ServiceResponse {
    .text(403, "A browser sent this request for a page of another site (\(sign)); this listener rejects such requests.")
  }

  private static func text(_ bytes: Span<UInt8>, _ range: ByteRange) -> String {
    let shown = ByteRange(Int(range.start)..<min(Int(range.end), Int(range.start) + 200))
    return unsafe bytes.extracting(shown.range).withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
  }
}
