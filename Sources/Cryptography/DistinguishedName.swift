internal import Encodings

/// The name of a certificate's subject, as text (RFC 4514): `CN=erp,O=Example`, the most specific part first.
///
/// Two names are equal if they have the same parts in the same order, however the text escapes them. Values are compared byte
/// by byte: a name that a certificate authority writes differently is another name.
public struct DistinguishedName: Sendable, Hashable {
  private struct Attribute: Sendable, Hashable {
    var type: String
    var value: [UInt8]
    /// Whether the value is an encoding of something other than text (`#` and hexadecimal digits).
    var isEncoded = false
  }

  // One set for each level, which rarely has more than one attribute.
  private var levels: [Set<Attribute>] = []

  /// Parses `text`; nil if it is not a name. Spaces around `=`, `,` and `+` are ignored.
  public init?(_ text: some StringProtocol) {
    var reader = Reader(bytes: Array(text.utf8))
    var level: Set<Attribute> = []
    while true {
      guard let attribute = reader.attribute(), level.insert(attribute).inserted else { return nil }
      switch reader.separator() {
      case UInt8(ascii: "+"): continue
      case nil:
        levels.append(level)
        return
      default:
        levels.append(level)
        level = []
      }
    }
  }

  /// Splits the text into attributes.
  private struct Reader {
    let bytes: [UInt8]
    var index = 0

    private var current: UInt8? { index < bytes.count ? bytes[index] : nil }

    mutating func separator() -> UInt8? {
      defer { index += 1 }
      return current
    }

    mutating func attribute() -> Attribute? {
      skipSpaces()
      guard let type = type() else { return nil }
      skipSpaces()
      guard current == UInt8(ascii: "=") else { return nil }
      index += 1
      skipSpaces()
      let isEncoded = current == UInt8(ascii: "#")
      guard let value = value(), !value.isEmpty else { return nil }
      return Attribute(type: type, value: value, isEncoded: isEncoded)
    }

    /// A short name or an OID, normalised.
    private mutating func type() -> String? {
      let start = index
      while let byte = current, byte.isLetter || byte.isDigit || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
      {
        index += 1
      }
      guard index > start else { return nil }
      let name = String(decoding: bytes[start..<index], as: UTF8.self).uppercased()
      return name == "E" ? "EMAILADDRESS" : name
    }

    /// The unescaped value, up to the next separator.
    private mutating func value() -> [UInt8]? {
      var value: [UInt8] = []
      var spaces = 0
      while let byte = current, byte != UInt8(ascii: ","), byte != UInt8(ascii: "+") {
        index += 1
        switch byte {
        case UInt8(ascii: "\\"):
          guard let escaped = escaped() else { return nil }
          value.append(escaped)
          spaces = 0
        case UInt8(ascii: "\""), UInt8(ascii: ";"), UInt8(ascii: "<"), UInt8(ascii: ">"): return nil
        case UInt8(ascii: " "):
          value.append(byte)
          spaces += 1
        default:
          value.append(byte)
          spaces = 0
        }
      }
      value.removeLast(spaces)
      return value
    }

    private mutating func escaped() -> UInt8? {
      guard let first = current else { return nil }
      index += 1
      guard let high = first.hexValue else { return Self.specials.contains(first) ? first : nil }
      guard let low = current?.hexValue else { return nil }
      index += 1
      return high << 4 | low
    }

    private static let specials = Set("\"+,;<> #=\\".utf8)

    private mutating func skipSpaces() {
      while current == UInt8(ascii: " ") { index += 1 }
    }
  }
}
