/// The maximum size of a message head.
public struct HeadLimits: Sendable, Equatable {
  /// Bytes of the whole head: start line, field lines and the empty line.
  public var bytes: Int
  /// Bytes of the request line or status line, without its CRLF. RFC 9112 section 3 recommends at least 8,000.
  public var requestLine: Int
  /// The number of field lines.
  public var fields: Int

  /// The given limits; values that exceed a head's 32-bit offsets are reduced.
  public init(bytes: Int = 65_536, requestLine: Int = 8_192, fields: Int = 100) {
    let largest = 1 << 30
    self.bytes = min(bytes, largest)
    self.requestLine = min(requestLine, largest)
    self.fields = fields
  }
}

/// How far a head has been parsed, between calls with more and more of its bytes.
struct HeadProgress: Sendable {
  /// What the last bytes of an incomplete line belong to, and therefore which bytes may follow without a new result.
  enum Region: Sendable {
    /// A field name or a method.
    case token
    /// A request target.
    case target
    /// The whitespace between a field name and its colon.
    case blanks
    /// A field value or a reason.
    case text
    /// A short part of a line, in which every byte is checked.
    case short
  }

  /// Where the current line begins.
  var line = 0
  /// Whether the start line has been read.
  var isPastStartLine = false

  private var region = Region.short
  /// The bytes of that region before this offset have been checked.
  private var searched = 0

  /// Whether the bytes up to `end` can give a new result for the current line.
  ///
  /// A line that arrives in many pieces is parsed again only when a byte has arrived that ends a part of it, or is an error
  /// there: the work stays linear, and an error is found as soon as it has arrived.
  mutating func mayContinue(_ bytes: Span<UInt8>, to end: Int) -> Bool {
    guard searched > line else { return true }
    switch region {
    case .token: searched = bytes.firstNotToken(from: searched, to: end)
    case .target: searched = bytes.firstNotVisible(from: searched, to: end)
    case .blanks: searched = bytes.firstNotBlank(from: searched, to: end)
    case .text: searched = bytes.firstControl(from: searched, to: end)
    case .short: return true
    }
    return searched < end
  }

  /// Records that the current line is incomplete at `end`, in `region`.
  mutating func suspend(_ bytes: Span<UInt8>, at end: Int, in region: Region) {
    self.region = region
    // Read a CR again together with the byte after it.
    searched = end > line && bytes[end - 1] == cr ? end - 1 : end
  }

  /// Parses field lines up to the empty line that ends the head. Returns the end of that line; nil if the head is incomplete.
  ///
  /// It is inlined into both parsers, so that neither pays for what only the other one needs.
  @inline(__always)
  mutating func readFields(
    _ bytes: Span<UInt8>, to end: Int, _ limits: HeadLimits, takesBlanksBeforeColon: Bool,
    into fields: inout [FieldLine], _ facts: inout FieldFacts
  ) throws(WireError) -> Int? {
    while true {
      switch try FieldLine.scan(bytes, from: line, to: end, takesBlanksBeforeColon: takesBlanksBeforeColon) {
      case .field(let field, let next):
        guard fields.count < limits.fields else { throw .tooManyFields }
        try facts.note(field, bytes)
        fields.append(field)
        line = next
      case .end(let next): return next
      case .incomplete:
        guard end < limits.bytes else { throw .headTooLarge }
        suspendField(bytes, at: end)
        return nil
      }
    }
  }

  /// Records that the current field line is incomplete at `end`.
  private mutating func suspendField(_ bytes: Span<UInt8>, at end: Int) {
    let nameEnd = bytes.firstNotToken(from: line, to: end)
    if nameEnd == end { return suspend(bytes, at: end, in: .token) }
    suspend(bytes, at: end, in: bytes.firstNotBlank(from: nameEnd, to: end) == end ? .blanks : .text)
  }
}

/// Parses request heads as they arrive (RFC 9112 sections 2, 3 and 5).
///
/// The outcome depends only on the bytes, not on how they are split into pieces.
public struct RequestHeadParser: Sendable {
  private let limits: HeadLimits
  private var progress = HeadProgress()

  /// Empty lines that are skipped before a request line: some old clients send them after a body (RFC 9112 section 2.2).
  private static let mostEmptyLines = 2

  /// A parser that rejects heads beyond `limits`.
  public init(limits: HeadLimits) {
    self.limits = limits
  }

  /// Forgets a head that was started.
  public mutating func reset() {
    progress = HeadProgress()
  }

  /// Parses a head from its beginning; `bytes` is everything received since the last message.
  ///
  /// Returns false if the head is not complete: call again with the same bytes and more after them. If it is complete, the head
  /// has `head.length` bytes, and the parser is ready for the next one. After an error, call ``reset()``.
  public mutating func parse(_ bytes: Span<UInt8>, into head: inout RequestHead) throws(WireError) -> Bool {
    let end = min(bytes.count, limits.bytes)
    if !progress.isPastStartLine {
      if progress.line == 0 { head.removeAll() }
      guard try parseStartLine(bytes, to: end, into: &head) else { return false }
    } else if end < limits.bytes, !progress.mayContinue(bytes, to: end) {
      return false
    }
    guard
      let length = try progress.readFields(
        bytes, to: end, limits, takesBlanksBeforeColon: false, into: &head.fields, &head.facts)
    else { return false }
    head.length = length
    try finish(&head, bytes)
    reset()
    return true
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

  /// What the last bytes of an incomplete request line belong to.
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

  /// Checks what can only be checked when the head is complete.
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

/// Parses response heads as they arrive (RFC 9112 sections 2, 4 and 5).
///
/// The outcome depends only on the bytes, not on how they are split into pieces.
public struct ResponseHeadParser: Sendable {
  private let limits: HeadLimits
  private var progress = HeadProgress()

  /// A parser that rejects heads beyond `limits`; `limits.requestLine` bounds the status line.
  public init(limits: HeadLimits) {
    self.limits = limits
  }

  /// Forgets a head that was started.
  public mutating func reset() {
    progress = HeadProgress()
  }

  /// Parses a head from its beginning; `bytes` is everything received since the last message.
  ///
  /// Returns false if the head is not complete: call again with the same bytes and more after them. If it is complete, the head
  /// has `head.length` bytes, and the parser is ready for the next one. After an error, call ``reset()``.
  public mutating func parse(_ bytes: Span<UInt8>, into head: inout ResponseHead) throws(WireError) -> Bool {
    let end = min(bytes.count, limits.bytes)
    if !progress.isPastStartLine {
      guard try parseStartLine(bytes, to: end, into: &head) else { return false }
    } else if end < limits.bytes, !progress.mayContinue(bytes, to: end) {
      return false
    }
    guard
      let length = try progress.readFields(
        bytes, to: end, limits, takesBlanksBeforeColon: true, into: &head.fields, &head.facts)
    else { return false }
    head.length = length
    try head.checkFraming()
    reset()
    return true
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
    // The reason follows the version, the status and the spaces.
    progress.suspend(bytes, at: end, in: end > 13 ? .text : .short)
    return false
  }
}
