/// The head of a response, as offsets into the bytes that it was parsed from.
///
/// Made to be reused from message to message: it keeps the capacity of its arrays.
public struct ResponseHead: ~Copyable, Sendable {
  /// The status, 100 to 599.
  public internal(set) var status = 0
  /// The reason phrase as it was received; it may be empty.
  public internal(set) var reason = ByteRange.empty
  /// The version of the response.
  public internal(set) var version = HTTPVersion.http11
  /// The field lines in their order.
  public internal(set) var fields: [FieldLine] = []
  /// Bytes of the whole head, up to the end of the empty line.
  public internal(set) var length = 0

  var facts = FieldFacts()

  /// An empty head with room for the fields of a usual message.
  public init() {
    fields.reserveCapacity(32)
  }

  /// Whether the final response is yet to come (1xx); true for 101 too.
  public var isInterim: Bool { status < 200 }

  /// Whether no response of this status has a body, whatever its fields say.
  var isBodiless: Bool { isInterim || status == 204 || status == 304 }

  /// How the end of the body is found when this answers a request of `method` (RFC 9112 6.3).
  public func framing(answering method: Method) -> BodyFraming {
    if isBodiless || method == .head { return .none }
    if method == .connect, status < 300 { return .none }
    if facts.isChunked { return .chunked }
    return facts.contentLength.map { .length($0) } ?? .untilClose
  }

  /// The value of Content-Length: of the body, or of the one that a GET would have had (HEAD, 304).
  public var contentLength: UInt64? { facts.contentLength }

  /// Whether the connection may carry another response after this one.
  ///
  /// False too for a 204 that announces a body: whether one follows is anybody's guess.
  public var wantsKeepAlive: Bool {
    if facts.closes { return false }
    if status == 204, facts.isChunked || (facts.contentLength ?? 0) > 0 { return false }
    return version == .http11 || facts.keepsAlive
  }

  /// Whether Connection names a field that would otherwise be forwarded.
  public var hasConnectionOptions: Bool { !facts.options.isEmpty }

  /// Whether a 101 names the protocol that it changes to, as it must (RFC 9110 15.2.2): HTTP/1.1, Upgrade, and Connection
  /// naming it.
  public var hasUpgrade: Bool { version == .http11 && facts.connectionUpgrade && contains(.upgrade) }

  /// Whether the content is a stream of events (`text/event-stream`), which may be quiet for as long as nothing happens.
  public var isEventStream: Bool { facts.isEventStream }

  /// Whether there is a Date field that is forwarded. A proxy adds one to a response without (RFC 9110 6.6.1).
  public var hasDate: Bool { contains(.date) && !facts.connectionDate }

  /// Whether there is a field of this known name.
  public func contains(_ name: FieldName) -> Bool { facts.seen.contains(name) }

  /// Whether there is a field with references to other resources: `Location`, `Content-Location` or `Link`.
  public var hasLinks: Bool { facts.seen.intersects(.links) }

  /// The first field of this known name.
  public func first(_ name: FieldName) -> FieldLine? {
    guard contains(name) else { return nil }
    return fields.first { $0.known == name }
  }

  /// Forgets everything, but keeps the capacity.
  mutating func removeAll() {
    length = 0
    fields.removeAll(keepingCapacity: true)
    facts.removeAll()
  }
}
