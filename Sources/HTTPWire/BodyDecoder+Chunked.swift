internal import Encodings

/// What the next byte of a chunked body belongs to (RFC 9112 section 7.1).
enum ChunkState: UInt8, Sendable {
  /// The first digit of a chunk size.
  case sizeStart
  /// Another digit, or the end of the size.
  case size
  /// Whitespace after the size or an extension, which only `;` may follow.
  case beforeSemicolon
  /// The first byte of an extension's name, or whitespace before it.
  case nameStart
  /// An extension's name.
  case name
  /// Whitespace after an extension's name, which `=` or `;` may follow.
  case afterName
  /// The first byte of an extension's value, or whitespace before it.
  case valueStart
  /// A value that is a token.
  case tokenValue
  /// A value in quotes.
  case quotedValue
  /// The byte after a backslash in quotes.
  case quotedPair
  /// Just after a value in quotes.
  case afterQuotes
  /// The LF that ends the line with the chunk size.
  case sizeLineFeed
  /// Payload.
  case payload
  /// The CR after the payload.
  case payloadReturn
  /// The LF after the payload.
  case payloadLineFeed
  /// The first byte of a line of the trailer section.
  case trailerStart
  /// A trailer field.
  case trailerField
  /// The LF of the empty line that ends the trailer section.
  case trailerLineFeed
}

extension BodyDecoder {
  mutating func stepChunked(_ bytes: Span<UInt8>) throws(WireError) -> (consumed: Int, event: Event) {
    var position = 0
    while position < bytes.count {
      switch state {
      case .payload:
        let count = Int(min(UInt64(bytes.count - position), remaining))
        remaining -= UInt64(count)
        payloadBytes += UInt64(count)
        extensionOverhead = max(0, extensionOverhead - count)
        if remaining == 0 { state = .payloadReturn }
        return (position + count, .payload(position..<position + count))
      case .sizeStart, .size:
        try takeSize(bytes[position])
      case .sizeLineFeed:
        guard bytes[position] == lf else { throw .bareCarriageReturn }
        state = remaining > 0 ? .payload : .trailerStart
        sizeDigits = 0
        extensionBytes = 0
      case .payloadReturn:
        guard bytes[position] == cr else { throw .chunkNotTerminated }
        state = .payloadLineFeed
      case .payloadLineFeed:
        guard bytes[position] == lf else { throw .chunkNotTerminated }
        state = .sizeStart
      case .trailerStart, .trailerField, .trailerLineFeed:
        try takeTrailer(bytes[position])
        if isFinished { return (position + 1, .finished) }
      default:
        try takeExtension(bytes[position])
      }
      position += 1
    }
    return (position, .needMore)
  }

  /// A byte of the chunk size: 1 to 16 digits, with no whitespace except before an extension.
  private mutating func takeSize(_ byte: UInt8) throws(WireError) {
    if let digit = byte.hexValue {
      sizeDigits += 1
      guard sizeDigits <= 16, remaining <= UInt64(Int64.max) >> 4 else { throw .chunkSizeTooLarge }
      remaining = remaining << 4 | UInt64(digit)
      state = .size
      return
    }
    guard state == .size else { throw .malformedChunkSize }
    switch byte {
    case cr: state = .sizeLineFeed
    case UInt8(ascii: ";"), space, tab: try takeExtension(byte)
    case lf: throw .bareLineFeed
    default: throw .malformedChunkSize
    }
  }

  /// A byte of `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`. Extensions are dropped, but must be
  /// well-formed: because some proxies read them leniently, proxies disagree about where a chunk begins.
  private mutating func takeExtension(_ byte: UInt8) throws(WireError) {
    // A line may end only after a name or a value.
    if byte == cr, state == .name || state == .tokenValue || state == .afterQuotes {
      state = .sizeLineFeed
      return
    }
    extensionBytes += 1
    extensionOverhead += 1
    guard extensionBytes <= limits.extensionLine, extensionOverhead <= limits.extensionOverhead else {
      throw .chunkExtensionTooLong
    }
    if byte == lf { throw .bareLineFeed }
    guard let next = stateAfter(byte) else { throw .malformedChunkExtension }
    state = next
  }

  private func stateAfter(_ byte: UInt8) -> ChunkState? {
    let isBlank = byte == space || byte == tab
    let isToken = ByteClass.contains(byte, ByteClass.token)
    let isSemicolon = byte == UInt8(ascii: ";")
    let isEquals = byte == UInt8(ascii: "=")
    let isQuote = byte == UInt8(ascii: "\"")
    switch state {
    case .size, .beforeSemicolon, .afterQuotes: return isSemicolon ? .nameStart : isBlank ? .beforeSemicolon : nil
    case .nameStart: return isToken ? .name : isBlank ? .nameStart : nil
    case .name, .afterName:
      if isSemicolon { return .nameStart }
      if isEquals { return .valueStart }
      return isBlank ? .afterName : isToken && state == .name ? .name : nil
    case .valueStart: return isQuote ? .quotedValue : isToken ? .tokenValue : isBlank ? .valueStart : nil
    case .tokenValue: return isToken ? .tokenValue : isSemicolon ? .nameStart : isBlank ? .beforeSemicolon : nil
    case .quotedValue:
      if isQuote { return .afterQuotes }
      if byte == UInt8(ascii: "\\") { return .quotedPair }
      return isQuotable(byte) ? .quotedValue : nil
    case .quotedPair: return isQuotable(byte) ? .quotedValue : nil
    default: return nil
    }
  }

  private func isQuotable(_ byte: UInt8) -> Bool {
    byte == tab || byte >= space && byte != 0x7f
  }
}

extension BodyDecoder {
  /// A byte of the trailer section. Its lines are kept, and parsed by the same rules as a head's.
  mutating func takeTrailer(_ byte: UInt8) throws(WireError) {
    switch state {
    case .trailerStart where byte == cr:
      state = .trailerLineFeed
    case .trailerLineFeed:
      guard byte == lf else { throw .bareCarriageReturn }
      isFinished = true
    default:
      guard trailerBytes.count < limits.trailerBytes else { throw .trailerTooLarge }
      trailerBytes.append(byte)
      state = .trailerField
      if byte == lf { try endTrailerLine() }
    }
  }

  private mutating func endTrailerLine() throws(WireError) {
    let scan = try FieldLine.scan(trailerBytes.span, from: trailerLine, to: trailerBytes.count)
    guard case .field(let line, let next) = scan else { throw .bareLineFeed }
    guard trailers.count + droppedTrailers < limits.trailerFields else { throw .tooManyFields }
    let isDisguised = line.known == .other && FieldName.isDisguisedFraming(trailerBytes.span, line.name)
    if isDisguised || FieldNameSet.notAllowedInTrailers.contains(line.known) {
      droppedTrailers += 1
    } else {
      trailers.append(line)
    }
    trailerLine = next
    state = .trailerStart
  }
}
