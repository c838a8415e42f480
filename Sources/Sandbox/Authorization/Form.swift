internal import Encodings

/// Parameters in the form `application/x-www-form-urlencoded` (the URL Standard, 5).
struct Form: Equatable {
  /// Why a body is not such a form, or not one that a token request may have.
  enum Fault: Error, Equatable {
    /// A `%` that begins no two hexadecimal digits, or bytes that are not UTF-8.
    case malformed
    /// A parameter that is there more than once (RFC 6749 3.2).
    case repeated(String)

    /// What `error_description` says.
    var description: String {
      switch self {
      case .malformed: "the body is not form-encoded"
      case .repeated(let name): "the parameter \(name) is there more than once"
      }
    }
  }

  private let values: [String: String]

  /// Takes `body` apart.
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

  /// The value of the parameter `name`; nil where it is empty, which counts as left out (RFC 6749 3.2).
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
