/// The head of a request, as offsets into the bytes that it was parsed from.
///
/// Made to be reused from message to message: it keeps the capacity of its arrays.
public struct RequestHead: ~Copyable, Sendable {
  /// The method as it was received.
  public internal(set) var method = ByteRange.empty
  /// Which method that is.
  public internal(set) var methodKind = Method.other
  /// The request target as it was received; take it apart with ``RequestTarget/parse(_:target:method:)``.
  public internal(set) var target = ByteRange.empty
  /// The version of the request.
  public internal(set) var version = HTTPVersion.http11
  /// The field lines in their order.
  public internal(set) var fields: [FieldLine] = []
  /// Bytes of the whole head, from the first byte given to the parser up to the end of the empty line.
  public internal(set) var length = 0
  /// Bytes of empty lines before the request line (RFC 9112 2.2); they are part of `length`.
  public internal(set) var leading = 0
  /// The value of Host; nil in an HTTP/1.0 request without one.
  public internal(set) var host: ByteRange?
  /// The value of Host, taken apart. It decides nothing when the target is in absolute form (RFC 9112 3.2.2).
  public internal(set) var authority: Authority?

  var facts = FieldFacts()

  /// An empty head with room for the fields of a usual message.
  public init() {
    fields.reserveCapacity(32)
  }

  /// How the end of the body is found: `none`, `length` or `chunked`.
  public var framing: BodyFraming {
    if facts.isChunked { return .chunked }
    return facts.contentLength.map { .length($0) } ?? .none
  }

  /// Whether the client may wait for a 100 before it sends the body (RFC 9110 10.1.1): never in HTTP/1.0.
  public var expectsContinue: Bool {
    guard facts.expectsContinue, version == .http11 else { return false }
    return framing != .none && framing != .length(0)
  }

  /// Whether Expect asks for something other than `100-continue` once, which may be answered with 417.
  public var hasUnknownExpectation: Bool { facts.hasUnknownExpectation }

  /// Whether the connection may serve another request after this one.
  ///
  /// False for every HTTP/1.0 request: a proxy must not keep such a connection open (RFC 9112 9.3). A server that is no
  /// proxy may do so when ``asksHTTP10KeepAlive``.
  public var wantsKeepAlive: Bool { version == .http11 && !facts.closes }

  /// Whether Connection names `close`: the client will send no further request.
  public var asksToClose: Bool { facts.closes }

  /// Whether an HTTP/1.0 client asks with `Connection: keep-alive` for the connection to be kept.
  public var asksHTTP10KeepAlive: Bool { version == .http10 && facts.keepsAlive && !facts.closes }

  /// Whether Connection names a field that would otherwise be forwarded.
  public var hasConnectionOptions: Bool { !facts.options.isEmpty }

  /// Whether the client offers to change the protocol: HTTP/1.1, Upgrade, and Connection naming it.
  public var hasUpgrade: Bool { version == .http11 && facts.connectionUpgrade && contains(.upgrade) }

  /// Whether the client can make use of trailers (`TE: trailers`).
  public var acceptsTrailers: Bool { facts.acceptsTrailers && version == .http11 }

  /// Whether there is a field of this known name.
  public func contains(_ name: FieldName) -> Bool { facts.seen.contains(name) }

  /// The first field of this known name.
  public func first(_ name: FieldName) -> FieldLine? {
    guard contains(name) else { return nil }
    return fields.first { $0.known == name }
  }

  /// Forgets everything, but keeps the capacity.
  mutating func removeAll() {
    length = 0
    leading = 0
    host = nil
    authority = nil
    fields.removeAll(keepingCapacity: true)
    facts.removeAll()
  }
}
