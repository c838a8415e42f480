internal import Encodings

/// What a server may take for one character at one place of a path.
struct PathCharacter: Equatable {
  enum Meaning: Equatable {
    /// This byte, as it was sent or decoded.
    case byte(UInt8)
    /// Nothing: some decoders leave out what is not valid.
    case nothing
  }

  var meaning: Meaning
  /// Whether the path has it in an encoded form.
  var isEncoded: Bool
  /// Where the next character begins.
  var end: Int
}

/// The characters of a path under every decoding that servers are known to apply: not at all, once, and again; with
/// overlong and otherwise invalid UTF-8 read as the character that it seems to stand for.
struct PathCharacters {
  /// A path that was decoded some number of times: its bytes, and where each begins in the path as it was sent.
  private struct Level {
    var bytes: [UInt8]
    var starts: [Int]
    /// The next byte to be looked at.
    var next = 0
    /// Up to which byte valid UTF-8 has been seen.
    var validEnd = 0
  }

  /// How often a path may be decoded until nothing is left to decode. No program encodes more than twice.
  private static var mostLevels: Int { 8 }

  private var levels: [Level]
  /// Whether the path is encoded more often than is looked at.
  let isTooDeep: Bool

  init(_ path: Span<UInt8>) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(path.count)
    for index in path.indices { bytes.append(path[index]) }
    var level = Level(bytes: bytes, starts: Array(0...bytes.count))
    levels = [level]
    while levels.count < Self.mostLevels {
      guard let decoded = Self.decode(level) else { break }
      level = decoded
      levels.append(level)
    }
    isTooDeep = levels.count == Self.mostLevels && Self.decode(level) != nil
  }

  /// Calls `visit` with each character that may begin at `offset`. Offsets must not decrease from call to call.
  mutating func visit(at offset: Int, _ visit: (PathCharacter) -> Void) {
    var seen: (byte: UInt8, end: Int)?
    for index in levels.indices {
      Self.advance(&levels[index], to: offset)
      let level = levels[index]
      guard level.next < level.bytes.count, level.starts[level.next] == offset else { continue }
      let byte = level.bytes[level.next]
      let end = level.starts[level.next + 1]
      if seen?.byte != byte || seen?.end != end {
        visit(PathCharacter(meaning: .byte(byte), isEncoded: index > 0, end: end))
        // Parsers of URLs leave out tabs and line ends.
        if byte == 0x09 || byte == 0x0a || byte == 0x0d {
          visit(PathCharacter(meaning: .nothing, isEncoded: true, end: end))
        }
      }
      seen = (byte, end)
      if byte >= 0x80 { Self.visitSequence(&levels[index], visit) }
    }
  }

  /// Whether a character that begins with the `%` at `index` may be a dot. Sure if false.
  static func mayBeginDot(_ path: Span<UInt8>, at index: Int) -> Bool {
    guard index + 2 < path.count else { return false }
    guard let high = path[index + 1].hexValue, let low = path[index + 2].hexValue else {
      return path[index + 1] | 0x20 == UInt8(ascii: "u")
    }
    switch high << 4 | low {
    // A dot, a percent sign, and what overlong and fullwidth forms begin with.
    case UInt8(ascii: "."), UInt8(ascii: "%"), 0xc0, 0xe0, 0xef, 0xf0, 0xf8, 0xfc: return true
    default: return false
    }
  }

  // MARK: UTF-8

  private static func visitSequence(_ level: inout Level, _ visit: (PathCharacter) -> Void) {
    let first = level.next
    let bytes = level.bytes
    if let (character, count) = asASCII(bytes, first) {
      visit(PathCharacter(meaning: .byte(character), isEncoded: true, end: level.starts[first + count]))
    }
    guard first >= level.validEnd else { return }
    if let count = validLength(bytes, first) {
      level.validEnd = first + count
    } else {
      visit(PathCharacter(meaning: .nothing, isEncoded: true, end: level.starts[first + 1]))
    }
  }

  /// The ASCII character that a sequence of bytes may be read as, which valid UTF-8 has another form for, and the number
  /// of bytes: overlong forms (`c0 af`, `e0 80 af` …), forms whose continuation is invalid (`c1 1c`, which old servers
  /// computed with all the same), and the fullwidth forms U+FF01 to U+FF5E (`ef bc 8f`), which Windows maps to ASCII.
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
      // Only the shortest form was ever read with a continuation byte that is none.
      guard count == 2 || bytes[index] & 0xc0 == 0x80 else { return nil }
      value = value << 6 | UInt32(bytes[index] & 0x3f)
    }
    return value < 0x80 ? (UInt8(value), count) : nil
  }

  /// How many bytes the valid character at `first` has; nil where it is none (RFC 3629 section 4).
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

  // MARK: Percent-decoding

  /// `bytes`, percent-decoded once.
  static func decoded(_ bytes: [UInt8]) -> [UInt8] {
    decode(Level(bytes: bytes, starts: Array(0...bytes.count)))?.bytes ?? bytes
  }

  /// The level above; nil where nothing is left to decode.
  private static func decode(_ level: Level) -> Level? {
    guard level.bytes.contains(UInt8(ascii: "%")) else { return nil }
    var decoded = Level(bytes: [], starts: [])
    var index = 0
    while index < level.bytes.count {
      decoded.starts.append(level.starts[index])
      if let (byte, count) = character(level.bytes, index) {
        decoded.bytes.append(byte)
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

  /// What `%xx` at `index` stands for, and how long that is; also `%uxxxx`, which IIS decodes, of an ASCII character.
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
