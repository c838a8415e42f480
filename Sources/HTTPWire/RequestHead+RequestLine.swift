extension RequestHead {
  /// Reads `method SP target SP version CRLF` at `start`, looking at no byte from `end` on.
  ///
  /// Returns where the next line begins, or nil when the line is incomplete; with `isLimit`, that is an error.
  mutating func scanRequestLine(
    _ bytes: Span<UInt8>, from start: Int, to end: Int, isLimit: Bool
  ) throws(WireError) -> Int? {
    var position = bytes.firstNotToken(from: start, to: end)
    guard position < end else {
      if isLimit { throw .methodTooLong }
      return nil
    }
    guard position > start, bytes[position] == space else {
      throw Self.methodFault(bytes[position], isFirst: position == start)
    }
    method = ByteRange(start..<position)

    let targetStart = position &+ 1
    position = bytes.firstNotVisible(from: targetStart, to: end)
    guard position < end else {
      if isLimit { throw .requestLineTooLong }
      return nil
    }
    guard bytes[position] == space, position > targetStart else {
      throw Self.targetFault(bytes[position], isFirst: position == targetStart)
    }
    target = ByteRange(targetStart..<position)

    guard let version = try HTTPVersion.scan(bytes, from: position &+ 1, to: end) else {
      if isLimit { throw .requestLineTooLong }
      return nil
    }
    position &+= 9
    guard position &+ 1 < end else {
      if position < end, bytes[position] != cr { throw Self.endFault(bytes[position]) }
      if isLimit { throw .requestLineTooLong }
      return nil
    }
    guard bytes[position] == cr else { throw Self.endFault(bytes[position]) }
    guard bytes[position &+ 1] == lf else { throw .bareCarriageReturn }
    self.version = version
    methodKind = Method.recognise(bytes, method)
    return position &+ 2
  }

  private static func methodFault(_ byte: UInt8, isFirst: Bool) -> WireError {
    switch byte {
    case 0x16 where isFirst: .tlsHandshake
    case lf: .bareLineFeed
    default: .malformedRequestLine
    }
  }

  private static func targetFault(_ byte: UInt8, isFirst: Bool) -> WireError {
    switch byte {
    case cr where !isFirst: .missingVersion
    case lf: .bareLineFeed
    case cr, space: .malformedRequestLine
    default: .invalidTargetByte
    }
  }

  private static func endFault(_ byte: UInt8) -> WireError {
    switch byte {
    case lf: .bareLineFeed
    case space, tab: .malformedRequestLine
    default: .malformedVersion
    }
  }
}
