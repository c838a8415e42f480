/// All that servers may make of one path.
///
/// The proxy forwards a path as it was sent, and servers read paths differently: they percent-decode once, twice or in
/// part, take `\` for `/`, merge slashes, remove dot segments, drop `;parameters`, or stop at an encoded NUL. So a rule
/// that is chosen by a path holds only if every reading of that path leads to the same rule.
///
/// The readings are followed side by side, as the states of a ``PathAutomaton`` that walks a ``PathTree``.
public enum PathReadings {
  /// What the readings of a path have in common.
  public enum Verdict: Equatable {
    /// All of them lead to the same outcome.
    case same
    /// One leads out of the directory that they are confined to.
    case leaves(reading: String)
    /// One leads to another outcome; nil means none.
    case differs(Int?, reading: String)
    /// There are more than are examined.
    case tooMany
  }

  /// Where the readings of a path begin, and what is expected of them.
  public struct Question {
    /// The prefix that covers the path as it was sent, which the operator wrote and which has a single reading; nil
    /// where none does.
    public var prefix: PathPrefix?
    /// Whether no reading may lead out of ``prefix``.
    public var isConfined: Bool
    /// The outcome that all readings must have; nil for none.
    public var expected: Int?

    /// A question of these parts.
    public init(prefix: PathPrefix?, isConfined: Bool, expected: Int?) {
      (self.prefix, self.isConfined, self.expected) = (prefix, isConfined, expected)
    }
  }

  /// Whether servers may read `path` in more than one way. False for nearly all paths, and quick. Those need no comparison
  /// with a tree unless ``PathTree/concernsPlainPaths`` says so.
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

  /// Whether a path of eight bytes or more has nothing at all that ``exist(of:)`` looks for, eight bytes at a time.
  @inline(__always)
  private static func isPlain(_ path: Span<UInt8>) -> Bool {
    guard path.count >= 8 else { return false }
    var offset = 0
    var endsWithSlash: UInt64 = 0
    while true {
      let word = unsafe path.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self).littleEndian
      let slashes = places(of: UInt8(ascii: "/"), in: word)
      // Four characters at a time: `$%&'` and `()*+`.
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

  /// Compares what the readings of `path` lead to.
  ///
  /// - Parameter outcome: the outcome for the value of a prefix in `tree`; nil where that prefix does not count.
  public static func compare(
    _ path: Span<UInt8>, in tree: PathTree, _ question: Question, outcome: (Int) -> Int?
  ) -> Verdict {
    guard path.count > 0, path[0] == UInt8(ascii: "/") else { return .same }
    return withoutActuallyEscaping(outcome) { outcome in
      var automaton = PathAutomaton(tree, question, outcome)
      let verdict = automaton.run(path)
      guard verdict != .same, verdict != .tooMany, path.count <= mostExact else { return verdict }
      // Depths that were taken together may have met a reading that no server has, and its text would mislead.
      var exact = PathAutomaton(tree, question, outcome, mergesDepths: false)
      let found = exact.run(path)
      return found == .tooMany ? verdict : found
    }
  }

  /// The longest path whose readings are followed one by one, in bytes.
  private static var mostExact: Int { 1024 }
}

/// Why a path is refused that servers read in different ways.
public final class PathConflict: Sendable {
  /// What is said behind the path as it was sent.
  public let text: String

  /// A path that some servers read as `reading`, of which `consequence` is true.
  init(_ reading: String, _ consequence: String) {
    let shown = reading.utf8.count > 200 ? "\(reading.prefix(200))…" : reading
    text = "some servers read it as \(shown), which \(consequence)"
  }

  private init(text: String) {
    self.text = text
  }

  static let tooMany = PathConflict(text: "it has too many possible readings to compare them")
}
