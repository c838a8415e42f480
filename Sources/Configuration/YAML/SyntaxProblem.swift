internal import Encodings

/// Why a file cannot be read any further; a nil mark means the file as a whole.
struct SyntaxProblem: Error, Hashable {
  let mark: Mark?
  let message: String
}

extension SyntaxProblem {
  /// A problem of libyaml, in words for readers who know proxy.conf but not YAML's grammar.
  ///
  /// Quotes nothing from the file except a single special character: text that cannot be parsed may be a secret.
  /// - Parameters:
  ///   - complaint: libyaml's problem.
  ///   - mark: Where libyaml noticed it.
  ///   - begin: Where what it was reading begins.
  ///   - line: The text of the line of `mark`.
  init(libyaml complaint: String, at mark: Mark, context: String, begunAt begin: Mark, line: String) {
    let before = line.unicodeScalars.prefix(mark.column - 1)
    let isIndentation = before.allSatisfy { $0 == " " }
    switch complaint {
    case _ where Self.holdsBareIPv6(line):
      self.init(mark: mark, message: "an IPv6 address in brackets must be in quotes, such as \"[::1]:8080\"")
    case "did not find expected alphabetic or numeric character" where context == "while scanning an alias":
      self.init(mark: begin, message: "a value that begins with * must be in quotes, such as \"*.example.com\"")
    case "did not find expected ',' or ']'", "did not find expected ',' or '}'":
      let (opening, closing) = complaint.hasSuffix("]'") ? ("[", "]") : ("{", "}")
      let message =
        line.includes("${")
        ? "inside [ ] and { }, put ${...} in quotes"
        : "the \(opening) of line \(begin.line) is not closed; a \",\" or \"\(closing)\" is missing"
      self.init(mark: mark, message: message)
    case "could not find expected ':'":
      self.init(
        mark: begin, message: "a setting is written \"name: value\"; here the colon or the space behind it is missing")
    case "mapping values are not allowed in this context":
      self.init(
        mark: mark,
        message: "there is one colon too many; indent the line as the one above, or put a value with a colon in quotes")
    case "did not find expected key", "did not find expected '-' indicator":
      self.init(
        mark: mark,
        message: isIndentation
          ? "the line is not indented as those above it"
          : "the value ends before this; put the whole value in quotes, or separate the comment with \" #\"")
    case "block sequence entries are not allowed in this context":
      self.init(mark: mark, message: "a list begins on a line of its own")
    case "found unexpected end of stream", "found unexpected document indicator":
      self.init(mark: begin, message: "the quotation mark here is never closed")
    case "found unknown escape character":
      self.init(
        mark: mark, message: "a backslash in double quotes begins an escape; write \\\\ for one, or use single quotes")
    case "found character that cannot start any token", "mapping keys are not allowed in this context",
      "did not find expected node content", "did not find expected alphabetic or numeric character":
      let character = line.unicodeScalars.dropFirst(mark.column - 1).first.map { $0 == "\t" ? "a tab" : "\"\($0)\"" }
      self.init(mark: mark, message: "\(character ?? "this") cannot stand here; put a value that contains it in quotes")
    case "did not find expected <document start>":
      self.init(mark: mark, message: Self.secondDocument)
    default:
      self.init(mark: mark, message: "this is not YAML: \(context.isEmpty ? "" : "\(context), ")\(complaint)")
    }
  }

  /// The message for a `---` or `...` that is followed by more text.
  static let secondDocument = "proxy.conf is one document; remove the line above that consists of \"---\" or \"...\""

  /// Whether an IPv6 address is in brackets without quotes, which YAML takes for a list.
  private static func holdsBareIPv6(_ line: String) -> Bool {
    guard let open = line.firstIndex(of: "["), !line[..<open].contains(where: { "\"'#".contains($0) }) else {
      return false
    }
    let address = line[open...].dropFirst().prefix { $0 == ":" || $0 == "." || $0.isHexDigit }
    return address.count { $0 == ":" } >= 2 && line[address.endIndex...].hasPrefix("]")
  }
}

/// Problems of a file before it is read as YAML.
enum SourceText {
  /// The maximum size of proxy.conf in bytes.
  static let sizeLimit = 1024 * 1024

  /// `bytes` without the byte-order mark and the CRs of line ends that Windows editors write.
  ///
  /// Rejects everything but plain UTF-8 text, because programs read other text in different ways.
  static func plain(_ bytes: [UInt8]) throws(SyntaxProblem) -> [UInt8] {
    guard bytes.count <= sizeLimit else {
      throw SyntaxProblem(mark: nil, message: "the file is larger than 1 MB, which is no configuration")
    }
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
      throw SyntaxProblem(mark: .beginning, message: "the file is UTF-16; save it as UTF-8")
    }
    let text = withUnixLineEnds(bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...])
    try check(text)
    return text
  }

  private static func withUnixLineEnds(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    guard bytes.contains(UInt8(ascii: "\r")) else { return Array(bytes) }
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count)
    for byte in bytes {
      if byte == UInt8(ascii: "\n"), text.last == UInt8(ascii: "\r") { text.removeLast() }
      text.append(byte)
    }
    return text
  }

  private static func check(_ bytes: [UInt8]) throws(SyntaxProblem) {
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

  private static func complaint(about scalar: Unicode.Scalar, indents: Bool) -> String? {
    switch scalar.value {
    case 0x09:
      return indents ? "a tab indents this line; YAML indents with spaces only" : nil
    case 0x0D:
      return "a CR without LF stands here; end lines with LF or CRLF"
    case 0x20...0x7E, 0xA0...0x2027, 0x202F...0x2065, 0x206A...0xD7FF, 0xE000...0xFEFE, 0xFF00...0xFFFD,
      0x10000...0x10FFFF:
      return nil
    default:
      // Control characters, line ends of other systems, and characters that change the direction of the text.
      return "the character \(codePoint(scalar)) cannot be used here; remove it"
    }
  }
}
