internal import Encodings

/// What the fields of a head say about the message and its connection, collected while they are parsed.
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
  /// Expect has another value, or occurs more than once.
  var hasUnknownExpectation = false
  /// Content-Type is `text/event-stream`.
  var isEventStream = false
  /// TE names `trailers`.
  var acceptsTrailers = false
  /// The names in Connection, except those that are dropped or rewritten anyway.
  var options: [ByteRange] = []
  /// How many elements the Connection fields have had so far.
  var optionCount = 0
  /// Whether the only transfer coding is chunked.
  var isChunked: Bool { seen.contains(.transferEncoding) }

  /// A message with more elements of Connection is rejected: each costs a comparison with every field.
  static let mostOptions = 64

  /// Resets everything, but keeps the capacity.
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

  /// Records one field line.
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
      // A repeated field counts as unknown: programs differ in which one they read.
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

  /// Checks the framing fields against each other; called at the end of the head.
  func checkFraming(_ version: HTTPVersion) throws(WireError) {
    guard seen.contains(.transferEncoding) else { return }
    if seen.contains(.contentLength) { throw .lengthAndTransferEncoding }
    if version == .http10 { throw .transferEncodingInHTTP10 }
  }
}

extension Span<UInt8> {
  /// Whether a value of Content-Type is `text/event-stream`, with or without parameters.
  fileprivate func isEventStream(_ value: ByteRange) -> Bool {
    guard value.count >= 17, equals("text/event-stream", count: 17, at: Int(value.start)) else { return false }
    return value.count == 17 || [UInt8(ascii: ";"), space, tab].contains(self[Int(value.start) + 17])
  }
}

extension FieldFacts {
  /// One number in digits (RFC 9110 section 8.6). Repeated values are rejected even if they are equal: this is one of the two
  /// choices of RFC 9112 section 6.3, and the one on which no two programs can disagree.
  mutating func noteContentLength(_ value: ByteRange, _ bytes: Span<UInt8>) throws(WireError) {
    if seen.contains(.contentLength) { throw .repeatedContentLength }
    guard !value.isEmpty else { throw .malformedContentLength }
    var length: UInt64 = 0
    var isTooLarge = false
    for offset in value.range {
      let byte = bytes[offset]
      guard byte.isDigit else { throw .malformedContentLength }
      // Below this bound the next step cannot overflow; a value that has exceeded it stays too large.
      if length > (UInt64(Int64.max) - 9) / 10 { isTooLarge = true }
      length = isTooLarge ? 0 : length * 10 + UInt64(byte & 0x0f)
    }
    if isTooLarge { throw .contentLengthTooLarge }
    contentLength = length
  }

  /// Exactly `chunked` (RFC 9112 section 6.1), once. Anything else is rejected; this function finds the matching error.
  mutating func noteTransferEncoding(_ value: ByteRange, _ bytes: Span<UInt8>) throws(WireError) {
    if seen.contains(.transferEncoding) { throw .repeatedTransferEncoding }
    if bytes.equals("chunked", ignoringCaseAt: value) { return }
    var elements = ListElements(value)
    var chunkedElements = 0
    var isLastChunked = false
    while let element = elements.next(bytes) {
      guard let end = codingEnd(element, bytes) else { throw .malformedTransferEncoding }
      isLastChunked = end == element.end && bytes.equals("chunked", ignoringCaseAt: element)
      if isLastChunked { chunkedElements += 1 }
    }
    guard isLastChunked else { throw .transferEncodingNotChunked }
    throw chunkedElements > 1 ? .malformedTransferEncoding : .unsupportedTransferCoding
  }

  /// The end of a transfer coding's name, before its parameters; nil if there is none.
  private func codingEnd(_ element: ByteRange, _ bytes: Span<UInt8>) -> Int32? {
    var end = Int(element.start)
    while end < Int(element.end), ByteClass.contains(bytes[end], ByteClass.token) { end += 1 }
    guard end > Int(element.start) else { return nil }
    if end < Int(element.end), ![UInt8(ascii: ";"), space, tab].contains(bytes[end]) { return nil }
    return Int32(end)
  }

  /// Connection options (RFC 9110 section 7.6.1). A value that is not a list of tokens is rejected, since it may name a field
  /// that would then be forwarded.
  mutating func noteConnection(_ value: ByteRange, _ bytes: Span<UInt8>) throws(WireError) {
    if bytes.equals("close", ignoringCaseAt: value) {
      closes = true
      return
    }
    if bytes.equals("keep-alive", ignoringCaseAt: value) {
      keepsAlive = true
      return
    }
    var elements = ListElements(value)
    while let element = elements.next(bytes) {
      optionCount += 1
      guard optionCount <= Self.mostOptions else { throw .tooManyConnectionOptions }
      if element.isEmpty { continue }
      guard bytes.isToken(element) else { throw .malformedConnection }
      noteOption(element, bytes)
    }
  }

  private mutating func noteOption(_ option: ByteRange, _ bytes: Span<UInt8>) {
    if bytes.equals("close", ignoringCaseAt: option) {
      closes = true
      return
    }
    switch FieldName.recognise(bytes, option) {
    case .keepAlive: keepsAlive = true
    case .upgrade: connectionUpgrade = true
    case .date:
      connectionDate = true
      options.append(option)
    case let name where FieldNameSet.connectionCannotRemove.contains(name): break
    default: options.append(option)
    }
  }
}

/// How the end of a body is determined (RFC 9112 section 6.3).
public enum BodyFraming: Sendable, Equatable {
  /// There is no body.
  case none
  /// The body has this many bytes.
  case length(UInt64)
  /// The body consists of chunks, and ends with a chunk of size 0 and a trailer section.
  case chunked
  /// The body ends with the connection. Responses only.
  case untilClose
}
