extension ResponseHead {
  /// Reads `version SP status SP reason CRLF` at the beginning, looking at no byte from `end` on.
  ///
  /// Returns where the next line begins, or nil when the line is incomplete. The space before an empty reason may be
  /// missing: many servers leave it out, and nothing depends on it.
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
      guard ByteClass.isDigit(bytes[position]) else { throw .malformedStatusLine }
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

  /// What the framing fields say together with the status.
  func checkFraming() throws(WireError) {
    try facts.checkFraming(version)
    // What comes next on the connection is another head. A body announced here makes it uncertain where that begins.
    if isInterim, facts.isChunked || (facts.contentLength ?? 0) > 0 { throw .framedInterim }
  }
}
