/// The public keys of the issuer (RFC 7517 5): exactly one.
struct JSONWebKeySet: Encodable {
  private struct Key: Encodable {
    let alg = "RS256"
    let e: String
    let kid: String
    let kty = "RSA"
    let n: String
    let use = "sig"
  }

  private let keys: [Key]

  init(_ key: SigningKey) {
    keys = [Key(e: key.exponent, kid: key.identifier, n: key.modulus)]
  }
}
