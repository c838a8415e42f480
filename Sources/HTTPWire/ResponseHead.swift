internal import Encodings

/// The head of a response, as offsets into the parsed bytes.
///
/// It is reused from message to message and keeps the capacity of its arrays.
public struct ResponseHead: ~Copyable, Sendable {
  /// The status, 100 to 599.
  public internal(set) var status = 0
  /// The reason phrase as received; it may be empty.
  public internal(set) var reason = ByteRange.empty
  /// The version of the response.
  public internal(set) var version = HTTPVersion.http11
  /// The field lines in order.
  public internal(set) var fields: [FieldLine] = []
  /// The length of the whole head, up to the end of the empty line.
  public internal(set) var length = 0

  var facts = FieldFacts()

  /// An empty head with room for the fields of a usual message.
  public init() {
    fields.reserveCapacity(32)
  }

  /// Whether the final response is yet to come (1xx); true for 101 too.
  public var isInterim: Bool { status < 200 }

  /// Whether a response with this status never has a body, whatever its fields say.
  var isBodiless: Bool { isInterim || status == 204 || status == 304 }

  /// How the end of the body is determined in a response to a request with `method` (RFC 9112 section 6.3).
  public func framing(answering method: Method) -> BodyFraming {
    if isBodiless || method == .head { return .none }
    if method == .connect, status < 300 { return .none }
    if facts.isChunked { return .chunked }
    return facts.contentLength.map { .length($0) } ?? .untilClose
  }

  /// The value of Content-Length: the length of the body, or of the body that a GET would have had (HEAD, 304).
  public var contentLength: UInt64? { facts.contentLength }

  /// Whether the connection may carry another response after this one.
  ///
  /// False too for a 204 that announces a body: whether a body follows is unknown.
  public var wantsKeepAlive: Bool {
    if facts.closes { return false }
    if status == 204, facts.isChunked || (facts.contentLength ?? 0) > 0 { return false }
    return version == .http11 || facts.keepsAlive
  }

  /// Whether Connection names a field that would otherwise be forwarded.
  public var hasConnectionOptions: Bool { !facts.options.isEmpty }

  /// Whether a 101 names the protocol that it switches to, as it must (RFC 9110 section 15.2.2): HTTP/1.1, Upgrade, and a
  /// Connection field that names it.
  public var hasUpgrade: Bool { version == .http11 && facts.connectionUpgrade && contains(.upgrade) }

  /// Whether the body is a stream of events (`text/event-stream`), which may be quiet for as long as nothing happens.
  public var isEventStream: Bool { facts.isEventStream }

  /// Whether there is a Date field that is forwarded. A proxy adds one to a response that has none (RFC 9110 section 6.6.1).
  public var hasDate: Bool { contains(.date) && !facts.connectionDate }

  /// Whether there is a field with this known name.
  public func contains(_ name: FieldName) -> Bool { facts.seen.contains(name) }

  /// Whether there is a field with references to other resources: `Location`, `Content-Location` or `Link`.
  public var hasLinks: Bool { facts.seen.intersects(.links) }

  /// Whether there is a field about the connection that the response arrived on: `WWW-Authenticate`, some of whose schemes
  /// authenticate connections, or `Keep-Alive`.
  public var concernsConnection: Bool { facts.seen.intersects(.aboutConnection) }

  /// The first field with this known name.
  public func first(_ name: FieldName) -> FieldLine? {
    guard contains(name) else { return nil }
    return fields.first { $0.known == name }
  }

  /// Resets everything, but keeps the capacity.
  mutating func removeAll() {
    length = 0
    fields.removeAll(keepingCapacity: true)
    facts.removeAll()
  }
}

extension ResponseHead {
  /// Parses `version SP status SP reason CRLF` at the beginning, and reads no byte from `end` on.
  ///
  /// Returns where the next line begins, or nil if the line is incomplete. The space before an empty reason may be missing:
  /// many servers omit it, and nothing depends on it.
  mutating func scanStatusLine(_ bytes: Span<UInt8>, to end: Int) throws(WireError) -> Int? {
    let version: HTTPVersion?
    do throws(WireError) {
      version = try HTTPVersion.scan(bytes, from: 0, to: end)
    } catch {
      throw error == .malformedVersion ? .malformedStatusLine : error
    }
    guard let version else { return nil }
    guard 8 < end else { return nil }
    guard bytes[8] == space else { throw .malformedStatusLine }
    var code = 0
    for position in 9..<12 {
      guard position < end else { return nil }
      guard bytes[position].isDigit else { throw .malformedStatusLine }
      code = code * 10 + Int(bytes[position] & 0x0f)
    }
    guard (100...599).contains(code) else { throw .invalidStatus }
    guard 12 < end else { return nil }
    var position = 12
    if bytes[12] == space {
      position = bytes.firstControl(from: 13, to: end)
    } else if bytes[12] != cr {
      throw bytes[12] == lf ? .bareLineFeed : .malformedStatusLine
    }
    guard position < end else { return nil }
    guard bytes[position] == cr else { throw bytes[position] == lf ? .bareLineFeed : .controlByte }
    guard position + 1 < end else { return nil }
    guard bytes[position + 1] == lf else { throw .bareCarriageReturn }
    self.version = version
    status = code
    reason = ByteRange(min(13, position)..<position)
    return position + 2
  }

  /// Checks the framing fields together with the status.
  func checkFraming() throws(WireError) {
    try facts.checkFraming(version)
    // Another head follows on the connection. If a body is announced here, it is uncertain where that head begins.
    if isInterim, facts.isChunked || (facts.contentLength ?? 0) > 0 { throw .framedInterim }
  }
}

extension ResponseHead {
  /// How many seconds the client should wait before the next request: the larger of Retry-After (RFC 9110 section 10.2.3), in
  /// seconds or as a date, and `RateLimit-Reset`; nil if neither can be read.
  ///
  /// A date is compared with the response's own Date, so that the clocks need not agree, or else with `now`, in seconds since
  /// the beginning of 1970.
  public func retryDelay(_ bytes: Span<UInt8>, now: UInt64) -> UInt64? {
    var delay: UInt64?
    if let line = first(.retryAfter) {
      delay = Self.seconds(bytes, line.value)
      if delay == nil, let date = Self.date(bytes, line.value) {
        let present = first(.date).flatMap { Self.date(bytes, $0.value) } ?? now
        delay = date > present ? date - present : 0
      }
    }
    if let line = fields.first(where: { bytes.equals("ratelimit-reset", ignoringCaseAt: $0.name) }),
      let reset = Self.seconds(bytes, line.value)
    {
      delay = max(delay ?? 0, reset)
    }
    return delay
  }

  /// Parses digits; nil for other text, and for more digits than a plausible wait has.
  fileprivate static func seconds(_ bytes: Span<UInt8>, _ range: ByteRange) -> UInt64? {
    guard (1...9).contains(range.count) else { return nil }
    var seconds: UInt64 = 0
    for offset in range.range {
      guard bytes[offset].isDigit else { return nil }
      seconds = seconds * 10 + UInt64(bytes[offset] & 0x0f)
    }
    return seconds
  }

  private static func date(_ bytes: Span<UInt8>, _ range: ByteRange) -> UInt64? {
    HTTPDate.secondsSince1970(of: range.range.map { bytes[$0] })
  }
}

/// What Keep-Alive fields say (RFC 2068 section 19.7.1.1); nil for what they do not say in a readable form.
public struct KeepAlive: Equatable, Sendable {
  /// The connection is closed after this many seconds without a request.
  public var timeout: UInt64?
  /// This many requests are accepted after this one.
  public var requests: Int?
}

extension ResponseHead {
  /// The values of its Keep-Alive fields; of several, the smallest.
  public func keepAlive(_ bytes: Span<UInt8>) -> KeepAlive {
    var found = KeepAlive()
    for line in fields where line.known == .keepAlive {
      var elements = ListElements(line.value)
      while let element = elements.next(bytes) {
        if let timeout = Self.parameter("timeout=", of: element, bytes) {
          found.timeout = min(timeout, found.timeout ?? .max)
        } else if let requests = Self.parameter("max=", of: element, bytes) {
          found.requests = min(Int(requests), found.requests ?? .max)
        }
      }
    }
    return found
  }

  private static func parameter(_ name: StaticString, of element: ByteRange, _ bytes: Span<UInt8>) -> UInt64? {
    let start = Int(element.start) + name.utf8CodeUnitCount
    guard start < Int(element.end), bytes.equals(name, ignoringCaseAt: ByteRange(Int(element.start)..<start)) else {
      return nil
    }
    return seconds(bytes, ByteRange(start..<Int(element.end)))
  }
}

/// The reason phrases of IANA's registry of status codes.
public enum ReasonPhrase {
  /// The reason phrase for `status`; empty for a status that is not registered (RFC 9112 section 4).
  public static func of(_ status: Int) -> String {
    switch status {
    case 100: "Continue"
    case 101: "Switching Protocols"
    case 102: "Processing"
    case 103: "Early Hints"
    case 200: "OK"
    case 201: "Created"
    case 202: "Accepted"
    case 203: "Non-Authoritative Information"
    case 204: "No Content"
    case 205: "Reset Content"
    case 206: "Partial Content"
    case 207: "Multi-Status"
    case 208: "Already Reported"
    case 226: "IM Used"
    case 300: "Multiple Choices"
    case 301: "Moved Permanently"
    case 302: "Found"
    case 303: "See Other"
    case 304: "Not Modified"
    case 305: "Use Proxy"
    case 307: "Temporary Redirect"
    case 308: "Permanent Redirect"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 402: "Payment Required"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 406: "Not Acceptable"
    case 407: "Proxy Authentication Required"
    case 408: "Request Timeout"
    case 409: "Conflict"
    case 410: "Gone"
    case 411: "Length Required"
    case 412: "Precondition Failed"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 415: "Unsupported Media Type"
    case 416: "Range Not Satisfiable"
    case 417: "Expectation Failed"
    case 421: "Misdirected Request"
    case 422: "Unprocessable Content"
    case 423: "Locked"
    case 424: "Failed Dependency"
    case 425: "Too Early"
    case 426: "Upgrade Required"
    case 428: "Precondition Required"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 451: "Unavailable For Legal Reasons"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    case 505: "HTTP Version Not Supported"
    case 506: "Variant Also Negotiates"
    case 507: "Insufficient Storage"
    case 508: "Loop Detected"
    case 510: "Not Extended"
    case 511: "Network Authentication Required"
    default: ""
    }
  }
}
