/// What the fields of a head say about the message and its connection, gathered while they are parsed.
struct FieldFacts: Sendable {
  /// The known names that occurred.
  var seen = FieldNameSet.none
  /// The value of Content-Length.
  var contentLength: UInt64?
  /// Connection names `close`.
  var closes = false
  /// Connection names `keep-alive`.
  var keepsAlive = false
  /// Connection names `date`.
  var connectionDate = false
  /// Connection names `upgrade`.
  var connectionUpgrade = false
  /// Expect is `100-continue`.
  var expectsContinue = false
  /// Expect asks for something else, or more than once.
  var hasUnknownExpectation = false
  /// Content-Type is `text/event-stream`.
  var isEventStream = false
  /// TE names `trailers`.
  var acceptsTrailers = false
  /// What Connection names and is not dropped or rewritten anyway.
  var options: [ByteRange] = []
  /// How many elements the Connection fields have so far.
  var optionCount = 0
  /// The last transfer coding is chunked, and there is no other.
  var isChunked: Bool { seen.contains(.transferEncoding) }

  /// Elements of Connection beyond which a message is refused: each costs a comparison with every field.
  static let mostOptions = 64

  /// Forgets everything, but keeps the capacity.
  mutating func removeAll() {
    seen = .none
    contentLength = nil
    closes = false
    keepsAlive = false
    connectionDate = false
    connectionUpgrade = false
    expectsContinue = false
    hasUnknownExpectation = false
    isEventStream = false
    acceptsTrailers = false
    if !options.isEmpty { options.removeAll(keepingCapacity: true) }
    optionCount = 0
  }

  /// Takes in one field line.
  @inline(__always)
  mutating func note(_ line: FieldLine, _ bytes: Span<UInt8>) throws(WireError) {
    if line.known == .other {
      if line.name.count == 14 || line.name.count == 17, FieldName.isDisguisedFraming(bytes, line.name) {
        throw .disguisedFraming
      }
      return
    }
    try noteKnown(line, bytes)
    seen.insert(line.known)
  }

  private mutating func noteKnown(_ line: FieldLine, _ bytes: Span<UInt8>) throws(WireError) {
    switch line.known {
    case .contentLength: try noteContentLength(line.value, bytes)
    case .transferEncoding: try noteTransferEncoding(line.value, bytes)
    case .connection: try noteConnection(line.value, bytes)
    case .host: if seen.contains(.host) { throw .repeatedHost }
    case .expect:
      // Twice is as good as a list: programs differ in which of them they see.
      if !seen.contains(.expect), bytes.equals("100-continue", ignoringCaseAt: line.value) {
        expectsContinue = true
      } else {
        hasUnknownExpectation = true
      }
    case .contentType: isEventStream = bytes.isEventStream(line.value)
    case .te:
      var elements = ListElements(line.value)
      while let element = elements.next(bytes) {
        if bytes.equals("trailers", ignoringCaseAt: element) { acceptsTrailers = true }
      }
    default: break
    }
  }

  /// What the framing fields say together; called at the end of the head.
  func checkFraming(_ version: HTTPVersion) throws(WireError) {
    guard seen.contains(.transferEncoding) else { return }
    if seen.contains(.contentLength) { throw .lengthAndTransferEncoding }
    if version == .http10 { throw .transferEncodingInHTTP10 }
  }
}

extension Span<UInt8> {
  /// Whether a value of Content-Type is `text/event-stream`, with parameters or without.
  fileprivate func isEventStream(_ value: ByteRange) -> Bool {
    guard value.count >= 17, equals("text/event-stream", count: 17, at: Int(value.start)) else { return false }
    return value.count == 17 || [UInt8(ascii: ";"), space, tab].contains(self[Int(value.start) + 17])
  }
}
