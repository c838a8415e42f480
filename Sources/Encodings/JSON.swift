/// The contents of JSON strings (RFC 8259 section 7).
public enum JSONText {
  /// Passes the bytes of the valid string `text`, unescaped and in UTF-8, to `write`.
  public static func unescape(_ text: Span<UInt8>, _ write: (UInt8) -> Void) {
    var position = 0
    while position < text.count {
      let byte = text[position]
      position += 1
      guard byte == UInt8(ascii: "\\") else {
        write(byte)
        continue
      }
      let kind = text[position]
      position += 1
      if let plain = escaped(kind) {
        write(plain)
      } else {
        let scalar = unescapeScalar(text, &position)
        for unit in Character(scalar).utf8 { write(unit) }
      }
    }
  }

  /// The character for a backslash and `kind`, except for `\u`.
  static func escaped(_ kind: UInt8) -> UInt8? {
    switch kind {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): kind
    case UInt8(ascii: "b"): 0x08
    case UInt8(ascii: "f"): 0x0C
    case UInt8(ascii: "n"): 0x0A
    case UInt8(ascii: "r"): 0x0D
    case UInt8(ascii: "t"): 0x09
    default: nil
    }
  }

  /// The scalar of the `\u` escape, or of the surrogate pair, whose digits begin at `position`; U+FFFD for half a pair.
  private static func unescapeScalar(_ text: Span<UInt8>, _ position: inout Int) -> Unicode.Scalar {
    let first = unit(text, at: position)
    position += 4
    if let scalar = Unicode.Scalar(first) { return scalar }
    guard (0xD800..<0xDC00).contains(first), position + 6 <= text.count,
      text[position] == UInt8(ascii: "\\"), text[position + 1] == UInt8(ascii: "u")
    else { return "\u{FFFD}" }
    let second = unit(text, at: position + 2)
    guard (0xDC00..<0xE000).contains(second) else { return "\u{FFFD}" }
    position += 6
    return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)) ?? "\u{FFFD}"
  }

  private static func unit(_ text: Span<UInt8>, at position: Int) -> UInt32 {
    var unit: UInt32 = 0
    for offset in 0..<4 { unit = unit << 4 | UInt32(text[position + offset].hexValue ?? 0) }
    return unit
  }
}

/// Why bytes are not a usable JSON object.
public enum JSONProblem: Error, Hashable {
  /// They are not JSON (RFC 8259), are cut off, or are nested too deeply.
  case notJSON
  /// They are JSON, but not an object.
  case notAnObject
  /// The object has a member twice.
  case repeatedMember
}

/// The members of a JSON object (RFC 8259), as positions in the original bytes.
///
/// This is our own reader because a token must not be copied to memory that is not wiped, and because a repeated member must be
/// detected: decoders silently keep one of the two.
public struct JSONObject {
  /// A member's value.
  public enum Value: Hashable, Sendable {
    /// The bytes between the quotation marks, escapes included.
    case string(Range<Int>)
    /// The bytes of the number.
    case number(Range<Int>)
    case bool(Bool)
    case null
    /// An object or an array; validated, but not kept.
    case nested
  }

  private var members: [String: Value] = [:]

  /// Reads `bytes`, which must hold one object and nothing else.
  public init(_ bytes: Span<UInt8>) throws(JSONProblem) {
    var scanner = JSONScanner(bytes)
    scanner.skipByteOrderMark()
    scanner.skipWhitespace()
    let isObject = scanner.next == UInt8(ascii: "{")
    var members: [String: Value] = [:]
    var repeated = false
    if isObject {
      try scanner.scanObject(depth: 1) { name, value in
        var text: [UInt8] = []
        JSONText.unescape(bytes.extracting(name)) { text.append($0) }
        if members.updateValue(value, forKey: String(decoding: text, as: UTF8.self)) != nil { repeated = true }
      }
    } else {
      _ = try scanner.scanValue(depth: 1)
    }
    scanner.skipWhitespace()
    guard scanner.next == nil else { throw .notJSON }
    guard isObject else { throw .notAnObject }
    guard !repeated else { throw .repeatedMember }
    self.members = members
  }

  /// The member called `name`; a null counts as absent.
  public subscript(name: String) -> Value? {
    let value = members[name]
    return value == .null ? nil : value
  }
}

/// Scans JSON text, validates all of it, and reports the members of requested objects.
struct JSONScanner: ~Escapable {
  private static let deepest = 32

  private let bytes: Span<UInt8>
  private var position = 0

  @_lifetime(copy bytes)
  init(_ bytes: Span<UInt8>) { self.bytes = bytes }

  /// The next byte.
  var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  /// Skips a byte order mark, which some servers put before their JSON (RFC 8259 section 8.1).
  mutating func skipByteOrderMark() {
    guard bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF else { return }
    position = 3
  }

  mutating func skipWhitespace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  mutating func scanValue(depth: Int) throws(JSONProblem) -> JSONObject.Value {
    switch next {
    case UInt8(ascii: "{"):
      try scanObject(depth: depth) { _, _ in }
      return .nested
    case UInt8(ascii: "["):
      try scanArray(depth: depth)
      return .nested
    case UInt8(ascii: "\""):
      return .string(try scanString())
    case UInt8(ascii: "t"):
      try expect("true")
      return .bool(true)
    case UInt8(ascii: "f"):
      try expect("false")
      return .bool(false)
    case UInt8(ascii: "n"):
      try expect("null")
      return .null
    default:
      return .number(try scanNumber())
    }
  }

  /// Scans an object; calls `member` with the position of each name, and with the value.
  mutating func scanObject(
    depth: Int, _ member: (_ name: Range<Int>, _ value: JSONObject.Value) -> Void
  ) throws(JSONProblem) {
    guard depth <= Self.deepest else { throw .notJSON }
    try expect("{")
    skipWhitespace()
    if skip(UInt8(ascii: "}")) { return }
    repeat {
      skipWhitespace()
      let name = try scanString()
      skipWhitespace()
      try expect(":")
      skipWhitespace()
      member(name, try scanValue(depth: depth + 1))
      skipWhitespace()
    } while skip(UInt8(ascii: ","))
    try expect("}")
  }

  private mutating func scanArray(depth: Int) throws(JSONProblem) {
    guard depth <= Self.deepest else { throw .notJSON }
    try expect("[")
    skipWhitespace()
    if skip(UInt8(ascii: "]")) { return }
    repeat {
      skipWhitespace()
      _ = try scanValue(depth: depth + 1)
      skipWhitespace()
    } while skip(UInt8(ascii: ","))
    try expect("]")
  }

  private mutating func scanString() throws(JSONProblem) -> Range<Int> {
    try expect("\"")
    let start = position
    while let byte = next {
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return start..<(position - 1)
      case UInt8(ascii: "\\"): try scanEscape()
      case 0..<0x20: throw .notJSON
      default: continue
      }
    }
    throw .notJSON
  }

  private mutating func scanEscape() throws(JSONProblem) {
    guard let kind = next else { throw .notJSON }
    position += 1
    switch kind {
    case UInt8(ascii: "u"):
      for _ in 0..<4 {
        guard let digit = next, digit.isHexDigit else { throw .notJSON }
        position += 1
      }
    default:
      guard JSONText.escaped(kind) != nil else { throw .notJSON }
    }
  }

  private mutating func scanNumber() throws(JSONProblem) -> Range<Int> {
    let start = position
    _ = skip(UInt8(ascii: "-"))
    if !skip(UInt8(ascii: "0")) { try scanDigits() }
    if skip(UInt8(ascii: ".")) { try scanDigits() }
    if skip(UInt8(ascii: "e")) || skip(UInt8(ascii: "E")) {
      if !skip(UInt8(ascii: "+")) { _ = skip(UInt8(ascii: "-")) }
      try scanDigits()
    }
    return start..<position
  }

  private mutating func scanDigits() throws(JSONProblem) {
    let start = position
    while let byte = next, byte.isDigit { position += 1 }
    guard position > start else { throw .notJSON }
  }

  private mutating func skip(_ byte: UInt8) -> Bool {
    guard next == byte else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ text: String) throws(JSONProblem) {
    for byte in text.utf8 {
      guard skip(byte) else { throw .notJSON }
    }
  }
}
