internal import Encodings
internal import Secrets

/// The text of a setting, in which `${NAME}` and `${NAME:-default}` stand for environment variables, `$$` for a "$".
struct Substitution: Equatable {
  /// A run of text, or a variable.
  enum Piece: Equatable {
    case text(String)
    case variable(String, default: String?)
  }

  let pieces: [Piece]

  /// The names of the variables in it.
  var names: [String] {
    pieces.compactMap { if case .variable(let name, _) = $0 { name } else { nil } }
  }

  /// Parses `written`.
  init(_ written: String) throws(Refusal) {
    guard written.utf8.contains(UInt8(ascii: "$")) else {
      pieces = [.text(written)]
      return
    }
    var pieces: [Piece] = []
    var text = ""
    var rest = written[...]
    while let dollar = rest.firstIndex(of: "$") {
      text += rest[..<dollar]
      rest = rest[dollar...].dropFirst()
      if rest.hasPrefix("$") {
        text += "$"
        rest = rest.dropFirst()
      } else if rest.hasPrefix("{") {
        guard let end = rest.firstIndex(of: "}") else {
          throw Refusal("a \"${\" is not closed; write $$ for a \"$\" that means itself")
        }
        if !text.isEmpty { pieces.append(.text(text)) }
        text = ""
        pieces.append(try Self.variable(rest[..<end].dropFirst()))
        rest = rest[end...].dropFirst()
      } else {
        text += "$"
      }
    }
    text += rest
    if !text.isEmpty { pieces.append(.text(text)) }
    self.pieces = pieces
  }

  /// The text with the variables replaced; what they hold is taken as it is, never looked through again.
  func text(environment: Environment) throws(Refusal) -> String {
    var text = ""
    for piece in pieces {
      switch piece {
      case .text(let piece):
        text += piece
      case .variable(let name, let fallback):
        // As in a shell: ":-" applies to an empty variable too.
        let value = environment[name].flatMap { $0.isEmpty && fallback != nil ? nil : $0 }
        guard let value = value ?? fallback else { throw Refusal("environment variable \(name) is not set") }
        text += value
      }
    }
    return text
  }

  private static func variable(_ written: Substring) throws(Refusal) -> Piece {
    let separator = written.place(of: ":-")
    let name = separator.map { written[..<$0.lowerBound] } ?? written
    guard isName(name) else {
      throw Refusal("\"${...}\" must hold the name of an environment variable; write $$ for a \"$\" that means itself")
    }
    let fallback = separator.map { String(written[$0.upperBound...]) }
    guard fallback?.contains("$") != true else { throw Refusal("a default must not contain a \"$\"") }
    return .variable(String(name), default: fallback)
  }

  /// Whether `text` can be the name of an environment variable: letters, digits and "_", no digit first.
  static func isName(_ text: some StringProtocol) -> Bool {
    guard let first = text.utf8.first, !first.isDigit else { return false }
    return text.utf8.allSatisfy { $0.isLetter || $0.isDigit || $0 == UInt8(ascii: "_") }
  }
}

extension StringProtocol {
  /// The first position of `part`, byte by byte; nil if there is none. The standard library's search costs too much setup for
  /// such short texts.
  func place(of part: String) -> Range<Index>? {
    let text = utf8
    var begin = text.startIndex
    while begin != text.endIndex {
      if text[begin...].starts(with: part.utf8) { return begin..<text.index(begin, offsetBy: part.utf8.count) }
      begin = text.index(after: begin)
    }
    return nil
  }

  /// Whether `part` is in the text, byte by byte.
  func includes(_ part: String) -> Bool { place(of: part) != nil }
}

/// Finds the environment variables that hold secrets, so that no message shows them, even if they are also used for something
/// else.
enum SecretVariables {
  private static let settings: Set = ["client_secret", "client_secret_previous", "headers", "parent_proxy", "password"]
  // Settings with names that mean something else elsewhere, by the section they are in.
  private static let nested: [String: Set<String>] = ["token_store": ["key"]]

  /// Whether a variable of this name most likely holds a secret, wherever it is used.
  static func isNameOfSecret(_ name: String) -> Bool {
    let name = name.uppercased()
    return ["SECRET", "PASSWORD", "PASSWD", "TOKEN", "PRIVATE_KEY", "API_KEY"].contains { name.includes($0) }
  }

  /// Whether the setting `name` in the section at `path` holds a secret.
  static func isSecret(_ name: String, below path: String) -> Bool {
    settings.contains(name)
      || path.split(separator: ".").last.map { nested[String($0)]?.contains(name) == true } == true
  }

  /// The names of the variables that a setting which holds a secret refers to anywhere in `node`.
  static func names(in node: Node) -> Set<String> {
    switch node.content {
    case .mapping(let entries):
      return entries.reduce(into: []) { names, entry in
        names.formUnion(settings.contains(entry.key) ? mentioned(in: entry.value) : Self.names(in: entry.value))
        if let inside = nested[entry.key], case .mapping(let entries) = entry.value.content {
          for entry in entries where inside.contains(entry.key) { names.formUnion(mentioned(in: entry.value)) }
        }
      }
    case .sequence(let items):
      return items.reduce(into: []) { $0.formUnion(names(in: $1)) }
    case .scalar, .refused:
      return []
    }
  }

  /// The secret's setting that `text` contains, if any: with a wrong quote or indentation, the following lines become part of a
  /// text, which no message may show then.
  static func setting(namedIn text: String) -> String? {
    guard text.utf8.contains(UInt8(ascii: ":")) else { return nil }
    return settings.first { text.includes("\($0):") }
  }

  /// The names in every text of `node`: in `${NAME}`, and as `env` has it.
  private static func mentioned(in node: Node) -> Set<String> {
    switch node.content {
    case .mapping(let entries):
      return entries.reduce(into: []) { $0.formUnion(mentioned(in: $1.value)) }
    case .sequence(let items):
      return items.reduce(into: []) { $0.formUnion(mentioned(in: $1)) }
    case .scalar(let text, _):
      // Text that is wrong is reported when the setting is read.
      return Set((try? Substitution(text))?.names ?? []).union(Substitution.isName(text) ? [text] : [])
    case .refused:
      return []
    }
  }
}
