/// What is wrong with a token endpoint's reply. Nothing of the reply itself: it may hold a token.
public enum MalformedReply: Hashable, Sendable {
  /// Status 200 and no body.
  case empty
  /// More than 64 KiB.
  case tooLong
  /// A page instead of JSON: most likely not a token endpoint.
  case html
  /// Neither JSON nor HTML; JSON that ends early too.
  case notJSON
  /// JSON, but no object.
  case notAnObject
  /// An object that has a member twice.
  case repeatedMember
  /// No `access_token` that is a string with something in it.
  case noToken
  /// A token longer than ``AccessToken/longestToken`` bytes.
  case tokenTooLong
  /// A token with bytes that do not belong in a header field: spaces, control bytes, anything beyond ASCII.
  case unsuitableToken
  /// A `token_type` other than Bearer (RFC 6750).
  case unsupportedTokenType
  /// A token that was no longer valid when it arrived.
  case expiredToken
  /// A status that means success, but is not 200, or an interim one.
  case unexpectedStatus(Int)

  /// Whether asking once more, at once, may bring a better reply. Not so where the server meant what it said:
  /// every token is billed.
  var mayBePassing: Bool {
    switch self {
    case .empty, .html, .notJSON, .notAnObject, .repeatedMember, .noToken: true
    case .tooLong, .tokenTooLong, .unsuitableToken, .unsupportedTokenType, .expiredToken, .unexpectedStatus: false
    }
  }

  /// Whether the server has most likely issued a token, and counts it.
  var meansThatOneWasIssued: Bool {
    switch self {
    case .tooLong, .notJSON, .repeatedMember, .tokenTooLong, .unsuitableToken, .unsupportedTokenType, .expiredToken:
      true
    case .empty, .html, .notAnObject, .noToken, .unexpectedStatus: false
    }
  }
}
