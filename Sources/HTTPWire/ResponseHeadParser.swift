/// Reads response heads as they arrive (RFC 9112 2, 4 and 5).
///
/// The outcome depends on the bytes alone, not on the pieces they arrive in.
public struct ResponseHeadParser: Sendable {
  private let limits: HeadLimits
  private var progress = HeadProgress()

  /// A parser that refuses heads beyond `limits`; `limits.requestLine` bounds the status line.
  public init(limits: HeadLimits) {
    self.limits = limits
  }

  /// Forgets the head that was begun.
  public mutating func reset() {
    progress = HeadProgress()
  }

  /// Reads a head from its beginning; `bytes` are all that has been received since the last message.
  ///
  /// Returns false when the head is not complete: call again with the same bytes and more behind them. When it is,
  /// `head.length` bytes belong to it, and the parser is ready for the next one. After an error, call ``reset()``.
  public mutating func parse(_ bytes: Span<UInt8>, into head: inout ResponseHead) throws(WireError) -> Bool {
    let end = min(bytes.count, limits.bytes)
    if !progress.isPastStartLine {
      guard try parseStartLine(bytes, to: end, into: &head) else { return false }
    } else if end < limits.bytes, !progress.mayContinue(bytes, to: end) {
      return false
    }
    while true {
      switch try FieldLine.scan(bytes, from: progress.line, to: end, takesBlanksBeforeColon: true) {
      case .field(let line, let next):
        guard head.fields.count < limits.fields else { throw .tooManyFields }
        try head.facts.note(line, bytes)
        head.fields.append(line)
        progress.line = next
      case .end(let next):
        head.length = next
        try head.checkFraming()
        reset()
        return true
      case .incomplete:
        guard end < limits.bytes else { throw .headTooLarge }
        progress.suspendField(bytes, at: end)
        return false
      }
    }
  }

  private mutating func parseStartLine(
    _ bytes: Span<UInt8>, to end: Int, into head: inout ResponseHead
  ) throws(WireError) -> Bool {
    let limit = min(limits.bytes, limits.requestLine + 2)
    let end = min(end, limit)
    guard end == limit || progress.mayContinue(bytes, to: end) else { return false }
    head.removeAll()
    if let next = try head.scanStatusLine(bytes, to: end) {
      progress.line = next
      progress.isPastStartLine = true
      return true
    }
    guard end < limit else { throw .statusLineTooLong }
    // Behind the version, the status and the spaces comes the reason.
    progress.suspend(bytes, at: end, in: end > 13 ? .text : .short)
    return false
  }
}
