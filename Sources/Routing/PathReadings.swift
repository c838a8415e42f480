/// All the ways in which servers may read a path.
///
/// The proxy forwards a path unchanged, and servers read paths differently: they percent-decode once, twice or partially, treat
/// `\` like `/`, merge slashes, remove dot segments, drop `;parameters`, or stop at an encoded NUL. So a rule that a path
/// selects holds only if every reading of that path selects the same rule.
///
/// A ``PathAutomaton`` follows the readings in parallel, as states that walk a ``PathTree``.
public enum PathReadings {
  /// What the readings of a path have in common.
  public enum Verdict: Equatable {
    /// All of them lead to the same outcome.
    case same
    /// One leaves the directory to which they are confined.
    case leaves(reading: String)
    /// One leads to another outcome; nil means none.
    case differs(Int?, reading: String)
    /// There are too many to examine.
    case tooMany
  }

  /// Where the readings of a path begin, and what is expected of them.
  public struct Question {
    /// The prefix that covers the unchanged path. The operator wrote it, and it has a single reading; nil if no prefix covers
    /// it.
    public var prefix: PathPrefix?
    /// Whether no reading may leave ``prefix``.
    public var isConfined: Bool
    /// The outcome that all readings must have; nil for none.
    public var expected: Int?

    /// A question of these parts.
    public init(prefix: PathPrefix?, isConfined: Bool, expected: Int?) {
      (self.prefix, self.isConfined, self.expected) = (prefix, isConfined, expected)
    }
  }

  /// Whether servers may read `path` in more than one way. Fast, and false for nearly all paths. Those must be compared with a
  /// tree only if ``PathTree/concernsPlainPaths`` says so.
  public static func exist(of path: Span<UInt8>) -> Bool {
    guard !isPlain(path) else { return false }
    var previous: UInt8 = 0
    for index in path.indices {
      let byte = path[index]
      switch byte {
      case UInt8(ascii: "%"), UInt8(ascii: "\\"), UInt8(ascii: ";"), UInt8(ascii: "("), UInt8(ascii: "+"), 0x80...:
        return true
      case UInt8(ascii: "/") where previous == UInt8(ascii: "/") || previous == UInt8(ascii: "."): return true
      case UInt8(ascii: ".") where previous == UInt8(ascii: "/"): return true
      case UInt8(ascii: "$") where previous == UInt8(ascii: ":"): return true
      default: previous = byte
      }
    }
    return previous == UInt8(ascii: ".")
  }

  /// Whether a path of at least eight bytes has none of the characters that ``exist(of:)`` looks for, eight bytes at a time.
  @inline(__always)
  private static func isPlain(_ path: Span<UInt8>) -> Bool {
    guard path.count >= 8 else { return false }
    var offset = 0
    var endsWithSlash: UInt64 = 0
    while true {
      let word = unsafe path.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self).littleEndian
      let slashes = places(of: UInt8(ascii: "/"), in: word)
      // Compares with four characters at a time: `$%&'` and `()*+`.
      let fours = word & 0xfcfc_fcfc_fcfc_fcfc
      let others =
        places(of: UInt8(ascii: "$"), in: fours) | places(of: UInt8(ascii: "("), in: fours)
        | places(of: UInt8(ascii: "."), in: word) | places(of: UInt8(ascii: ";"), in: word)
        | places(of: UInt8(ascii: "\\"), in: word) | word & highBits
      guard others | slashes & (slashes &<< 8 | endsWithSlash) == 0 else { return false }
      guard offset &+ 8 < path.count else { return true }
      endsWithSlash = offset &+ 16 <= path.count ? slashes &>> 56 : 0
      // The last word overlaps the one before it.
      offset = min(offset &+ 8, path.count &- 8)
    }
  }

  private static var highBits: UInt64 { 0x8080_8080_8080_8080 }

  /// The highest bit of each byte of `word` that is `byte`.
  @inline(__always)
  private static func places(of byte: UInt8, in word: UInt64) -> UInt64 {
    let difference = word ^ UInt64(byte) &* 0x0101_0101_0101_0101
    return ~((difference & ~highBits) &+ ~highBits | difference) & highBits
  }

  /// Compares the outcomes of all readings of `path`.
  ///
  /// - Parameter outcome: the outcome for the value of a prefix in `tree`; nil if that prefix does not count.
  public static func compare(
    _ path: Span<UInt8>, in tree: PathTree, _ question: Question, outcome: (Int) -> Int?
  ) -> Verdict {
    guard path.count > 0, path[0] == UInt8(ascii: "/") else { return .same }
    return withoutActuallyEscaping(outcome) { outcome in
      var automaton = PathAutomaton(tree, question, outcome)
      let verdict = automaton.run(path)
      guard verdict != .same, verdict != .tooMany, path.count <= mostExact else { return verdict }
      // Merged depths may have produced a reading that no server has, and its text would mislead.
      var exact = PathAutomaton(tree, question, outcome, mergesDepths: false)
      let found = exact.run(path)
      return found == .tooMany ? verdict : found
    }
  }

  /// The longest path whose readings are followed individually, in bytes.
  private static var mostExact: Int { 1024 }
}

/// Why a path is rejected that servers read in different ways.
public final class PathConflict: Sendable {
  /// The text after the path in a message.
  public let text: String

  /// A path that some servers read as `reading`, with this `consequence`.
  init(_ reading: String, _ consequence: String) {
    let shown = reading.utf8.count > 200 ? "\(reading.prefix(200))…" : reading
    text = "some servers read it as \(shown), which \(consequence)"
  }

  private init(text: String) {
    self.text = text
  }

  static let tooMany = PathConflict(text: "it has too many possible readings to compare them")
}
