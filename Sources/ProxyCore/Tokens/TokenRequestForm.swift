internal import Encodings

/// What matters of a token request that is answered with a placeholder: who asks, and with which secret, does not.
struct TokenRequestForm {
  /// The grant that is asked for; nil where the form names none, or is none.
  private(set) var grantType: String?
  /// The scopes that are asked for.
  private(set) var scope: String?
  /// Whether one of both is there twice, which it must not be (RFC 6749 section 3.2).
  private(set) var hasRepetition = false

  /// Reads a form (`application/x-www-form-urlencoded`).
  init(_ content: [UInt8]) {
    for field in content.split(separator: UInt8(ascii: "&")) {
      let parts = field.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else { continue }
      switch Self.decoded(parts[0]) {
      case "grant_type": grantType = taken(parts[1], after: grantType)
      case "scope": scope = taken(parts[1], after: scope)
      default: continue
      }
    }
  }

  private mutating func taken(_ value: ArraySlice<UInt8>, after earlier: String?) -> String? {
    if earlier != nil { hasRepetition = true }
    // A parameter without a value counts as left out.
    return value.isEmpty ? earlier : Self.decoded(value)
  }

  private static func decoded(_ text: ArraySlice<UInt8>) -> String {
    String(decoding: PercentEncoding.decode(text, plusIsSpace: true, malformed: .kept) ?? [], as: UTF8.self)
  }
}
