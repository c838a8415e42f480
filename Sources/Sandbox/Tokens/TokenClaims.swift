/// What a Kinde access token of an M2M application says.
struct TokenClaims: Codable, Equatable {
  /// The audiences; an array even of one.
  let aud: [String]
  /// The client id of the application.
  let azp: String
  /// When it ends, in seconds since 1970.
  let exp: Int
  /// The grants by which it was obtained.
  let gty: [String]
  /// When it was issued, in seconds since 1970.
  let iat: Int
  /// Who issued it.
  let iss: String
  /// What tells it from every other token.
  let jti: String
  /// The organisation of an application that is confined to one.
  let organization: String?
  /// The scopes, with spaces between.
  let scope: String
  /// The scopes, one by one.
  let scp: [String]
  /// The version of Kinde's token layout.
  let v: String

  private enum CodingKeys: String, CodingKey {
    case aud, azp, exp, gty, iat, iss, jti, scope, scp, v
    case organization = "org_code"
  }
}
