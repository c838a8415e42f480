internal import Encodings

/// Parameters in the form `application/x-www-form-urlencoded` (URL Standard, section 5).
struct Form: Equatable {
  /// Why a body is not such a form, or not an acceptable one.
  enum Fault: Error, Equatable {
    /// A `%` that is not followed by two hexadecimal digits, or bytes that are not UTF-8.
    case malformed
    /// A parameter that occurs more than once (RFC 6749 section 3.2).
    case repeated(String)

    /// The text of `error_description`.
    var description: String {
      switch self {
      case .malformed: "the body is not form-encoded"
      case .repeated(let name): "the parameter \(name) occurs more than once"
      }
    }
  }

  private let values: [String: String]

  /// Parses `body`.
  init(_ body: some Sequence<UInt8>) throws(Fault) {
    var values: [String: String] = [:]
    for pair in Array(body).split(separator: UInt8(ascii: "&")) {
      let end = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
      let name = try Self.decode(pair[..<end])
      let value = try Self.decode(pair[end...].dropFirst())
      guard values.updateValue(value, forKey: name) == nil else { throw .repeated(name) }
    }
    self.values = values
  }

  /// The value of the parameter `name`; nil if it is empty, which counts as omitted (RFC 6749 section 3.2).
  subscript(name: String) -> String? {
    values[name].flatMap { $0.isEmpty ? nil : $0 }
  }

  /// The decoded text of `encoded`.
  static func decode(_ encoded: some Sequence<UInt8>) throws(Fault) -> String {
    guard let bytes = PercentEncoding.decode(encoded, plusIsSpace: true),
      let text = String(validating: bytes, as: UTF8.self)
    else { throw .malformed }
    return text
  }
}
