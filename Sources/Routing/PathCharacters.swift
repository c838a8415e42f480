internal import Encodings

/// What a server may take for one character at one position of a path.
struct PathCharacter: Equatable {
  enum Meaning: Equatable {
    /// This byte, plain or decoded.
    case byte(UInt8)
    /// Nothing: some decoders drop invalid bytes.
    case nothing
  }

  var meaning: Meaning
  /// Whether it is encoded in the path.
  var isEncoded: Bool
  /// Where the next character begins.
  var end: Int
}

/// The characters of a path under every decoding that servers are known to apply: none, one or several passes, and overlong or
/// otherwise invalid UTF-8 read as the character that it seems to encode.
struct PathCharacters {
  /// A path after some number of decodings: its bytes, and where each begins in the original path.
  private struct Level {
    var bytes: [UInt8]
    var starts: [Int]
    /// The next byte to examine.
    var next = 0
    /// The end of the valid UTF-8 that has been seen.
    var validEnd = 0
    /// Where the last character begins that is encoded in the level below. After it, both levels are the same.
    var lastEscape = Int.max
  }

  /// How often a path is decoded at most. No program encodes more than twice.
  private static var mostLevels: Int { 8 }

  private var levels: [Level]
  /// How many levels may still differ from the one below at the current offset or later.
  private var live: Int
  /// Whether letters that some servers match ignoring case are read as ASCII, or as each other.
  private let ignoresCase: Bool
  /// Whether there is a parenthesis, with which an ASP.NET ticket begins.
  let hasParenthesis: Bool
  /// Whether the path cannot be examined completely: it is encoded too often, or has an escape that appears only when something
  /// inside it is decoded or dropped.
  let isTooDeep: Bool

  init(_ path: Span<UInt8>, ignoresCase: Bool) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(path.count)
    for index in path.indices { bytes.append(path[index]) }
    var level = Level(bytes: bytes, starts: Array(0...bytes.count))
    levels = [level]
    self.ignoresCase = ignoresCase
    while levels.count < Self.mostLevels {
      guard let decoded = Self.decode(level) else { break }
      level = decoded
      levels.append(level)
    }
    live = levels.count
    hasParenthesis = level.bytes.contains(UInt8(ascii: "("))
    isTooDeep =
      levels.count == Self.mostLevels && Self.decode(level) != nil || levels.contains { Self.hasHiddenEscape($0.bytes) }
  }

  /// Calls `visit` with each character that may begin at `offset`. Offsets must not decrease from call to call.
  ///
  /// Returns how many levels were examined.
  mutating func visit(at offset: Int, _ visit: (PathCharacter) -> Void) -> Int {
    while live > 1, levels[live - 1].lastEscape < offset { live -= 1 }
    var seen: (byte: UInt8, end: Int)?
    for index in 0..<live {
      Self.advance(&levels[index], to: offset)
      let next = levels[index].next
      guard next < levels[index].bytes.count, levels[index].starts[next] == offset else { continue }
      let byte = levels[index].bytes[next]
      let end = levels[index].starts[next + 1]
      if seen?.byte != byte || seen?.end != end {
        visit(PathCharacter(meaning: .byte(byte), isEncoded: index > 0, end: end))
        // URL parsers drop tabs and line ends.
        if Self.isLeftOut(byte) { visit(PathCharacter(meaning: .nothing, isEncoded: true, end: end)) }
      }
      seen = (byte, end)
      if byte >= 0x80 { Self.visitSequence(&levels[index], ignoresCase: ignoresCase, visit) }
    }
    return live
  }

  private static func isLeftOut(_ byte: UInt8) -> Bool { byte == 0x09 || byte == 0x0a || byte == 0x0d }

  /// Whether `bytes` have an escape that decoding them does not find: other decoders drop something inside it, or its
  /// characters are written in another form. No program writes such a thing.
  private static func hasHiddenEscape(_ bytes: [UInt8]) -> Bool {
    guard bytes.contains(where: { $0 >= 0x80 || isLeftOut($0) }) else { return false }
    // Backwards, so that each byte is examined once: the two characters that follow a position if something is dropped.
    var next: (byte: UInt8, isPlain: Bool)?
    var afterNext: (byte: UInt8, isPlain: Bool)?
    // Only a forward scan finds the continuation bytes of valid characters.
    var isInside = [Bool](repeating: false, count: bytes.count)
    var index = 0
    while index < bytes.count {
      let count = bytes[index] < 0x80 ? 1 : validLength(bytes, index) ?? 1
      for inside in index + 1..<max(index + count, index + 1) { isInside[inside] = true }
      index += count
    }
    // The same for each position at which a character in another form ends.
    var behind: [(next: (byte: UInt8, isPlain: Bool)?, afterNext: (byte: UInt8, isPlain: Bool)?)] = []
    behind = Array(repeating: (nil, nil), count: bytes.count + 1)
    for index in bytes.indices.reversed() {
      var here: (byte: UInt8, isPlain: Bool)?
      var end = index + 1
      if bytes[index] < 0x80, !isLeftOut(bytes[index]) {
        here = (bytes[index], true)
      } else if let (byte, count) = asASCII(bytes, index) {
        here = (byte, false)
        end = index + count
      }
      if let here {
        (next, afterNext) = behind[end]
        if here.byte == UInt8(ascii: "%"), let high = next, high.byte.isHexDigit, let low = afterNext,
          low.byte.isHexDigit,
          !(here.isPlain && high.isPlain && low.isPlain)
        {
          return true
        }
        behind[index] = (here, next)
      } else if !isInside[index], isLeftOut(bytes[index]) || validLength(bytes, index) == nil {
        // Dropped: the next characters count instead, and are not plain any more.
        let (next, afterNext) = behind[index + 1]
        behind[index] = (next.map { ($0.byte, false) }, afterNext)
      }
    }
    return false
  }

  /// Whether a character that begins with the `%` at `index` may be a dot. False is certain; true is not.
  static func mayBeginDot(_ path: Span<UInt8>, at index: Int) -> Bool {
    guard index + 2 < path.count else { return false }
    guard let high = path[index + 1].hexValue, let low = path[index + 2].hexValue else {
      return path[index + 1] | 0x20 == UInt8(ascii: "u")
    }
    switch high << 4 | low {
    // A dot, a percent sign, and the first bytes of overlong and fullwidth forms.
    case UInt8(ascii: "."), UInt8(ascii: "%"), 0xc0, 0xe0, 0xef, 0xf0, 0xf8, 0xfc: return true
    default: return false
    }
  }

  // MARK: UTF-8

  private static func visitSequence(
    _ level: inout Level, ignoresCase: Bool, _ visit: (PathCharacter) -> Void
  ) {
    let first = level.next
    if let (character, count) = asASCII(level.bytes, first) {
      visit(PathCharacter(meaning: .byte(character), isEncoded: true, end: level.starts[first + count]))
    }
    guard first >= level.validEnd else { return }
    if let count = validLength(level.bytes, first) {
      level.validEnd = first + count
      // Some servers trim all Unicode white space from names, as others trim spaces.
      if isWhiteSpace(level.bytes, first, count) {
        visit(PathCharacter(meaning: .byte(UInt8(ascii: " ")), isEncoded: true, end: level.starts[first + count]))
      }
      if ignoresCase, let folded = caseFolded(level.bytes, first, count) {
        visit(PathCharacter(meaning: .byte(folded), isEncoded: true, end: level.starts[first + count]))
      }
    } else {
      visit(PathCharacter(meaning: .nothing, isEncoded: true, end: level.starts[first + 1]))
    }
  }

  /// The ASCII character for which a sequence of bytes may be read although valid UTF-8 encodes it differently, and the number
  /// of bytes: overlong forms (`c0 af`, `e0 80 af` …), forms with an invalid continuation (`c1 1c`), which old decoders still
  /// compute with, and the fullwidth forms U+FF01 to U+FF5E (`ef bc 8f`), which Windows maps to ASCII.
  private static func asASCII(_ bytes: [UInt8], _ first: Int) -> (UInt8, count: Int)? {
    let lead = bytes[first]
    if lead == 0xef, first + 2 < bytes.count, bytes[first + 1] & 0xfe == 0xbc, bytes[first + 2] & 0xc0 == 0x80 {
      let offset = UInt16(bytes[first + 1] & 0x03) << 6 | UInt16(bytes[first + 2] & 0x3f)
      return (1...0x5e).contains(offset) ? (UInt8(offset) + 0x20, 3) : nil
    }
    let count: Int
    switch lead {
    case 0xc0...0xdf: count = 2
    case 0xe0...0xef: count = 3
    case 0xf0...0xf7: count = 4
    case 0xf8...0xfb: count = 5
    case 0xfc...0xfd: count = 6
    default: return nil
    }
    guard first + count <= bytes.count else { return nil }
    var value = UInt32(lead) & (0x7f >> UInt32(count))
    for index in first + 1..<first + count {
      value = value << 6 | UInt32(bytes[index] & 0x3f)
    }
    return value < 0x80 ? (UInt8(value), count) : nil
  }

  /// The length of the valid character at `first`; nil if it is not valid (RFC 3629 section 4).
  private static func validLength(_ bytes: [UInt8], _ first: Int) -> Int? {
    func isContinuation(_ offset: Int, _ range: ClosedRange<UInt8> = 0x80...0xbf) -> Bool {
      first + offset < bytes.count && range.contains(bytes[first + offset])
    }
    switch bytes[first] {
    case 0xc2...0xdf: return isContinuation(1) ? 2 : nil
    case 0xe0: return isContinuation(1, 0xa0...0xbf) && isContinuation(2) ? 3 : nil
    case 0xed: return isContinuation(1, 0x80...0x9f) && isContinuation(2) ? 3 : nil
    case 0xe1...0xef: return isContinuation(1) && isContinuation(2) ? 3 : nil
    case 0xf0: return isContinuation(1, 0x90...0xbf) && isContinuation(2) && isContinuation(3) ? 4 : nil
    case 0xf1...0xf3: return isContinuation(1) && isContinuation(2) && isContinuation(3) ? 4 : nil
    case 0xf4: return isContinuation(1, 0x80...0x8f) && isContinuation(2) && isContinuation(3) ? 4 : nil
    default: return nil
    }
  }

  /// Whether the valid character of `count` bytes is white space (U+0085, and the categories Zs, Zl and Zp), or U+180E or
  /// U+FEFF, which used to be.
  private static func isWhiteSpace(_ bytes: [UInt8], _ first: Int, _ count: Int) -> Bool {
    guard count <= 3 else { return false }
    switch (bytes[first], bytes[first + 1], count == 3 ? bytes[first + 2] : 0) {
    case (0xc2, 0x85, _), (0xc2, 0xa0, _): return true
    case (0xe1, 0x9a, 0x80), (0xe1, 0xa0, 0x8e), (0xe3, 0x80, 0x80), (0xef, 0xbb, 0xbf): return true
    case (0xe2, 0x80, 0x80...0x8a), (0xe2, 0x80, 0xa8), (0xe2, 0x80, 0xa9), (0xe2, 0x80, 0xaf): return true
    case (0xe2, 0x81, 0x9f): return true
    default: return false
    }
  }

  // MARK: Case

  /// Represents any character of a script with upper and lower case.
  private static let anyLetter: UInt8 = 0x80

  /// The form of a valid character of `count` bytes if case is ignored: the ASCII letter for which some servers take it (`i`
  /// for `ı` and `İ`, `s` for `ſ`, `k` for the Kelvin sign), or one byte for all characters of scripts with case; nil for
  /// others.
  private static func caseFolded(_ bytes: [UInt8], _ first: Int, _ count: Int) -> UInt8? {
    switch (bytes[first], bytes[first + 1]) {
    case (0xc4, 0xb0), (0xc4, 0xb1): UInt8(ascii: "i")
    case (0xc5, 0xbf): UInt8(ascii: "s")
    case (0xe2, 0x84) where bytes[first + 2] == 0xaa: UInt8(ascii: "k")
    // Latin, Greek, Cyrillic, Armenian; Georgian, Cherokee and extensions; the scripts beyond the first plane.
    case (0xc2...0xd6, _), (0xe1...0xe2, _), (0xea, _), (0xf0, _): anyLetter
    default: nil
    }
  }

  /// `label` in the form in which it is compared with readings if case is ignored.
  static func caseFolded(_ label: [UInt8]) -> [UInt8] {
    var folded: [UInt8] = []
    var index = 0
    while index < label.count {
      let count = label[index] < 0x80 ? nil : validLength(label, index)
      if let count, let letter = caseFolded(label, index, count) {
        folded.append(letter)
        index += count
      } else {
        folded.append(label[index].asciiLowercased)
        index += 1
      }
    }
    return folded
  }

  // MARK: Percent-decoding

  /// `bytes`, percent-decoded until nothing is left to decode.
  static func whollyDecoded(_ bytes: [UInt8]) -> [UInt8] {
    var level = Level(bytes: bytes, starts: Array(0...bytes.count))
    while let decoded = decode(level) { level = decoded }
    return level.bytes
  }

  /// The next level; nil if nothing is left to decode.
  private static func decode(_ level: Level) -> Level? {
    guard level.bytes.contains(UInt8(ascii: "%")) else { return nil }
    var decoded = Level(bytes: [], starts: [], lastEscape: -1)
    decoded.bytes.reserveCapacity(level.bytes.count)
    decoded.starts.reserveCapacity(level.bytes.count + 1)
    var index = 0
    while index < level.bytes.count {
      decoded.starts.append(level.starts[index])
      if let (byte, count) = character(level.bytes, index) {
        decoded.bytes.append(byte)
        decoded.lastEscape = level.starts[index]
        index += count
      } else {
        decoded.bytes.append(level.bytes[index])
        index += 1
      }
    }
    guard decoded.bytes.count < level.bytes.count else { return nil }
    decoded.starts.append(level.starts[level.bytes.count])
    return decoded
  }

  /// The character that `%xx` at `index` encodes, and its length; also `%uxxxx`, which IIS decodes, for an ASCII character.
  private static func character(_ bytes: [UInt8], _ index: Int) -> (UInt8, count: Int)? {
    guard bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count else { return nil }
    if bytes[index + 1] | 0x20 == UInt8(ascii: "u"), index + 5 < bytes.count {
      var value = 0
      for digit in bytes[index + 2...index + 5] {
        guard let digit = digit.hexValue else { return nil }
        value = value << 4 | Int(digit)
      }
      if (0xff01...0xff5e).contains(value) { value -= 0xfee0 }
      return value < 0x80 ? (UInt8(value), 6) : nil
    }
    guard let high = bytes[index + 1].hexValue, let low = bytes[index + 2].hexValue else { return nil }
    return (high << 4 | low, 3)
  }

  // Skips the bytes that begin before `offset`.
  private static func advance(_ level: inout Level, to offset: Int) {
    while level.next < level.bytes.count, level.starts[level.next] < offset { level.next += 1 }
  }
}
