/// How far a head has been read, between calls with more and more of its bytes.
struct HeadProgress: Sendable {
  /// What the last bytes of an incomplete line are part of, and so which bytes may follow without saying anything new.
  enum Region: Sendable {
    /// A field name or a method.
    case token
    /// A request target.
    case target
    /// The whitespace between a field name and its colon.
    case blanks
    /// A field value or a reason.
    case text
    /// A short part of a line, in which every byte is judged.
    case short
  }

  /// Where the line that is being read begins.
  var line = 0
  /// Whether the start line has been read.
  var isPastStartLine = false

  private var region = Region.short
  /// The bytes of that region before this offset have been judged.
  private var searched = 0

  /// Whether the line that is being read can say anything new with the bytes up to `end`.
  ///
  /// A line that arrives in many pieces is read again only when a byte has come that ends a part of it, or is wrong
  /// there: the work stays linear, and what is wrong is found as soon as it has come.
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

  /// Remembers that the line that is being read is incomplete at `end`, in `region`.
  mutating func suspend(_ bytes: Span<UInt8>, at end: Int, in region: Region) {
    self.region = region
    // A CR must be seen again together with what follows it.
    searched = end > line && bytes[end - 1] == cr ? end - 1 : end
  }

  /// Remembers that the field line that is being read is incomplete at `end`.
  mutating func suspendField(_ bytes: Span<UInt8>, at end: Int) {
    let nameEnd = bytes.firstNotToken(from: line, to: end)
    if nameEnd == end { return suspend(bytes, at: end, in: .token) }
    suspend(bytes, at: end, in: bytes.firstNotBlank(from: nameEnd, to: end) == end ? .blanks : .text)
  }
}
