/// Why a token is not accepted.
enum TokenFault: Error, Equatable {
  /// It is not a JSON Web Token, or does not say what an access token says.
  case malformed
  /// Another key signed it, or another algorithm was used.
  case otherKey
  /// The signature does not belong to what it says.
  case wrongSignature
  /// It ended so many seconds ago.
  case expired(secondsAgo: Int)
  /// It is for another API.
  case otherAudience([String], expected: String)

  /// A sentence for `error_description`.
  var description: String {
    switch self {
    case .malformed: "the token is malformed"
    case .otherKey: "the token was not signed with this issuer's key"
    case .wrongSignature: "the signature of the token is wrong"
    case .expired(let seconds): "the token expired \(seconds) s ago"
    case .otherAudience(let audience, let expected):
      "the token is for the audience \(audience.joined(separator: ", ")), and this API is \(expected)"
    }
  }
}
