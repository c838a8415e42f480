import Foundation

/// A reader of logfmt, written from its grammar alone: pairs with one space between them, values bare or JSON strings.
enum Logfmt {
  struct Malformed: Error { var rest: String }

  static func pairs(of line: String) throws -> [(key: String, value: String)] {
    // Scalars, because a quotation mark and a combining mark behind it are one Character.
    var rest = line.unicodeScalars[...]
    var pairs: [(key: String, value: String)] = []
    while !rest.isEmpty {
      if !pairs.isEmpty {
        guard rest.popFirst() == " " else { throw Malformed(rest: String(rest)) }
      }
      let key = rest.prefix {
        $0.isASCII && ($0.properties.isAlphabetic || "0123456789._-".unicodeScalars.contains($0))
      }
      rest = rest.dropFirst(key.count)
      guard !key.isEmpty, rest.popFirst() == "=" else { throw Malformed(rest: String(rest)) }
      let value = rest.first == "\"" ? try quoted(&rest) : try bare(&rest)
      pairs.append((String(key), value))
    }
    return pairs
  }

  private static func bare(_ rest: inout Substring.UnicodeScalarView) throws -> String {
    let value = rest.prefix { $0 != " " }
    guard !value.isEmpty, value.allSatisfy({ $0 > " " && $0 <= "~" && !"\"=\\".unicodeScalars.contains($0) }) else {
      throw Malformed(rest: String(rest))
    }
    rest = rest.dropFirst(value.count)
    return String(value)
  }

  private static func quoted(_ rest: inout Substring.UnicodeScalarView) throws -> String {
    var literal = String.UnicodeScalarView()
    var isEscaped = false
    while let scalar = rest.popFirst() {
      literal.append(scalar)
      if scalar == "\"" && !isEscaped && literal.count > 1 { break }
      isEscaped = scalar == "\\" && !isEscaped
    }
    let data = Data(String(literal).utf8)
    guard let value = try JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed) as? String else {
      throw Malformed(rest: String(literal))
    }
    return value
  }
}
