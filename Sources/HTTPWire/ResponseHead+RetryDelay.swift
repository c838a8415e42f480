extension ResponseHead {
  /// How many seconds the response asks to wait before the next request: the larger of Retry-After (RFC 9110 10.2.3), in
  /// seconds or as a date, and `RateLimit-Reset`; nil where neither says it in a form that can be read.
  ///
  /// A date counts from the response's own Date, so that the clocks need not agree, or else from `now`, in seconds since
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

  /// Digits and nothing else; more of them than any wait has are no seconds.
  private static func seconds(_ bytes: Span<UInt8>, _ range: ByteRange) -> UInt64? {
    guard (1...9).contains(range.count) else { return nil }
    var seconds: UInt64 = 0
    for offset in range.range {
      guard ByteClass.isDigit(bytes[offset]) else { return nil }
      seconds = seconds * 10 + UInt64(bytes[offset] & 0x0f)
    }
    return seconds
  }

  private static func date(_ bytes: Span<UInt8>, _ range: ByteRange) -> UInt64? {
    HTTPDate.secondsSince1970(of: range.range.map { bytes[$0] })
  }
}
