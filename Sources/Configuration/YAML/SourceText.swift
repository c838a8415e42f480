/// What can be wrong with a file before it is read as YAML.
enum SourceText {
  /// The most bytes that proxy.conf may have.
  static let sizeLimit = 1024 * 1024

  /// Refuses what is no plain UTF-8 text with LF line ends: each would be read by somebody as something else.
  static func check(_ bytes: [UInt8]) throws(SyntaxProblem) {
    guard bytes.count <= sizeLimit else {
      throw SyntaxProblem(mark: nil, message: "the file is larger than 1 MB, which is no configuration")
    }
    try checkByteOrderMark(bytes)
    var iterator = bytes.makeIterator()
    var decoder = UTF8()
    var offset = 0
    var mark = Mark.beginning
    var indents = true
    while true {
      switch decoder.decode(&iterator) {
      case .emptyInput:
        return
      case .error:
        let byte = String(bytes[offset], radix: 16, uppercase: true)
        throw SyntaxProblem(mark: mark, message: "the file is not UTF-8 text (byte 0x\(byte)); save it as UTF-8")
      case .scalarValue(let scalar):
        offset += UTF8.width(scalar)
        if scalar == "\n" {
          mark = Mark(line: mark.line + 1, column: 1)
          indents = true
          continue
        }
        if let message = complaint(about: scalar, indents: indents) {
          throw SyntaxProblem(mark: mark, message: message)
        }
        if scalar != " " { indents = false }
        mark.column += 1
      }
    }
  }

  private static func checkByteOrderMark(_ bytes: [UInt8]) throws(SyntaxProblem) {
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
      throw SyntaxProblem(
        mark: .beginning, message: "the file begins with a byte order mark; save it as UTF-8 without one")
    }
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
      throw SyntaxProblem(mark: .beginning, message: "the file is UTF-16; save it as UTF-8")
    }
  }

  private static func complaint(about scalar: Unicode.Scalar, indents: Bool) -> String? {
    switch scalar.value {
    case 0x09:
      return indents ? "a tab indents this line; YAML indents with spaces only" : nil
    case 0x0D:
      return "the line ends with CR, as Windows writes it; save the file with LF line ends"
    case 0x20...0x7E, 0xA0...0x2027, 0x202F...0x2065, 0x206A...0xD7FF, 0xE000...0xFEFE, 0xFF00...0xFFFD,
      0x10000...0x10FFFF:
      return nil
    default:
      // Control characters, other worlds' line ends, and characters that turn the direction of the text around them.
      return "the character \(codePoint(scalar)) cannot be used here; remove it"
    }
  }
}
