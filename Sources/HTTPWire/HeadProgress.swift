/// How far a head has been read, between calls with more and more of its bytes.
struct HeadProgress: Sendable {
  /// Where the line that is being read begins.
  var line = 0
  /// No byte of that line before this offset ends it; only a byte from here on can make it complete.
  private var searched = 0
  /// Whether the start line has been read.
  var isPastStartLine = false

  /// Whether the line that is being read can say anything new with the bytes up to `end`.
  ///
  /// A line that arrives in many pieces is read again only when a control character has come: the work stays linear.
  mutating func mayContinue(_ bytes: Span<UInt8>, to end: Int) -> Bool {
    guard searched > line else { return true }
    guard bytes.firstControl(from: searched, to: end) == end else { return true }
    searched = end
    return false
  }

  /// Remembers that the line that is being read is incomplete at `end`.
  mutating func suspend(_ bytes: Span<UInt8>, at end: Int) {
    // A CR must be seen again together with what follows it.
    searched = end > line && bytes[end - 1] == cr ? end - 1 : end
  }
}
