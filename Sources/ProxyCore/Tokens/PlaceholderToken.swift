internal import Cryptography
internal import Encodings

/// A token that is none: what an application gets that wants to fetch one itself. On its way the real one takes its place.
///
/// It has the shape of a JSON Web Token, since some libraries look into theirs for the time at which it ends. It is not
/// signed, names no client, no audience and no scope, and is the same for everybody: docs/decisions/0009-placeholder-tokens.md.
struct PlaceholderToken {
  /// How many seconds it says that it is good for.
  static let lifetime: UInt64 = 3600

  /// What stands in a field.
  let text: String

  init(secondsSince1970 now: UInt64) {
    let claims = """
      {"iss":"m2m-proxy","sub":"placeholder","iat":\(now),"exp":\(now + Self.lifetime),\
      "note":"worthless: the proxy puts the real token in its place"}
      """
    text = "\(Self.header).\(Base64.url.encode(Array(claims.utf8))).\(Self.signature)"
  }

  // A real algorithm: there are verifiers that believe "none".
  private static let header = Base64.url.encode(Array(#"{"alg":"RS256","typ":"JWT","kid":"placeholder"}"#.utf8))
  private static let signature = Base64.url.encode(Array("this is a placeholder and no signature".utf8))
}
