/// Walks over JSON text, checks all of it, and reports the members of the objects it is asked to.
struct JSONScanner: ~Escapable {
  private static let deepest = 32

  private let bytes: Span<UInt8>
  private var position = 0

  @_lifetime(copy bytes)
  init(_ bytes: Span<UInt8>) { self.bytes = bytes }

  /// The byte that comes next.
  var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  /// Passes over a byte order mark, which some servers put before their JSON (RFC 8259, 8.1).
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

  /// Scans an object; `member` gets the place of each name, and the value.
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
        guard let digit = next, JSONText.hexadecimal(digit) != nil else { throw .notJSON }
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
    while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
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
