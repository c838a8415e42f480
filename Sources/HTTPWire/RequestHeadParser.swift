/// Reads request heads as they arrive (RFC 9112 2, 3 and 5).
///
/// The outcome depends on the bytes alone, not on the pieces they arrive in.
public struct RequestHeadParser: Sendable {
  private let limits: HeadLimits
  private var progress = HeadProgress()

  /// Empty lines that are skipped before a request line: what some old clients send after a body (RFC 9112 2.2).
  private static let mostEmptyLines = 2

  /// A parser that refuses heads beyond `limits`.
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
  public mutating func parse(_ bytes: Span<UInt8>, into head: inout RequestHead) throws(WireError) -> Bool {
    let end = min(bytes.count, limits.bytes)
    if !progress.isPastStartLine {
      if progress.line == 0 { head.removeAll() }
      guard try parseStartLine(bytes, to: end, into: &head) else { return false }
    } else if end < limits.bytes, !progress.mayContinue(bytes, to: end) {
      return false
    }
    while true {
      switch try FieldLine.scan(bytes, from: progress.line, to: end) {
      case .field(let line, let next):
        guard head.fields.count < limits.fields else { throw .tooManyFields }
        try head.facts.note(line, bytes)
        head.fields.append(line)
        progress.line = next
      case .end(let next):
        head.length = next
        try finish(&head, bytes)
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
    _ bytes: Span<UInt8>, to end: Int, into head: inout RequestHead
  ) throws(WireError) -> Bool {
    guard try skipEmptyLines(bytes, to: end, &head) else { return false }
    let limit = min(limits.bytes, progress.line + limits.requestLine + 2)
    let end = min(end, limit)
    guard end == limit || progress.mayContinue(bytes, to: end) else { return false }
    if let next = try head.scanRequestLine(bytes, from: progress.line, to: end, isLimit: end == limit) {
      progress.line = next
      progress.isPastStartLine = true
      return true
    }
    progress.suspend(bytes, at: end, in: region(bytes, to: end))
    return false
  }

  /// What the last bytes of an incomplete request line are part of.
  private func region(_ bytes: Span<UInt8>, to end: Int) -> HeadProgress.Region {
    let methodEnd = bytes.firstNotToken(from: progress.line, to: end)
    if methodEnd == end { return .token }
    return bytes.firstNotVisible(from: methodEnd + 1, to: end) == end ? .target : .short
  }

  private mutating func skipEmptyLines(
    _ bytes: Span<UInt8>, to end: Int, _ head: inout RequestHead
  ) throws(WireError) -> Bool {
    while progress.line < end, bytes[progress.line] == cr {
      guard head.leading < 2 * Self.mostEmptyLines else { throw .malformedRequestLine }
      guard progress.line + 1 < end else { return false }
      guard bytes[progress.line + 1] == lf else { throw .bareCarriageReturn }
      progress.line += 2
      head.leading = progress.line
    }
    return progress.line < end
  }

  /// What can only be judged when the head is complete.
  private func finish(_ head: inout RequestHead, _ bytes: Span<UInt8>) throws(WireError) {
    try head.facts.checkFraming(head.version)
    guard let host = head.first(.host)?.value else {
      if head.version == .http11 { throw .missingHost }
      return
    }
    head.authority = try Authority.parse(bytes, host)
    head.host = host
  }
}
