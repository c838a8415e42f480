extension FieldFacts {
  /// One number in digits (RFC 9110 8.6). Repeated values are refused even when they are equal: that is one of the two
  /// choices RFC 9112 6.3 gives, and the one that leaves nothing to disagree about.
  mutating func noteContentLength(_ value: ByteRange, _ bytes: Span<UInt8>) throws(WireError) {
    if seen.contains(.contentLength) { throw .repeatedContentLength }
    guard !value.isEmpty else { throw .malformedContentLength }
    var length: UInt64 = 0
    var isTooLarge = false
    for offset in value.range {
      let byte = bytes[offset]
      guard ByteClass.isDigit(byte) else { throw .malformedContentLength }
      // Two steps of less than 2^63 cannot overflow; what has passed that stays too large.
      if length > (UInt64(Int64.max) - 9) / 10 { isTooLarge = true }
      length = isTooLarge ? 0 : length * 10 + UInt64(byte & 0x0f)
    }
    if isTooLarge { throw .contentLengthTooLarge }
    contentLength = length
  }

  /// Exactly `chunked` (RFC 9112 6.1), once. Anything else is refused, and this finds out how to call it.
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

  /// Where the name of a transfer coding ends, before its parameters; nil if there is none.
  private func codingEnd(_ element: ByteRange, _ bytes: Span<UInt8>) -> Int32? {
    var end = Int(element.start)
    while end < Int(element.end), ByteClass.contains(bytes[end], ByteClass.token) { end += 1 }
    guard end > Int(element.start) else { return nil }
    if end < Int(element.end), ![UInt8(ascii: ";"), space, tab].contains(bytes[end]) { return nil }
    return Int32(end)
  }

  /// Connection options (RFC 9110 7.6.1). What is not a list of tokens is refused, since it may name what we would
  /// then forward.
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
