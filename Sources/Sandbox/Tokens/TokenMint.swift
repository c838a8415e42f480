internal import Cryptography
internal import FoundationEssentials

/// Makes and checks access tokens: JSON Web Tokens signed with RS256 (RFC 7515, RFC 7519).
struct TokenMint: Sendable {
  /// The `iss` of the tokens: the URL of the authorization server.
  let issuer: String
  /// The key that signs.
  let key: SigningKey
  /// Seconds for which a token is valid.
  let lifetime: Int

  private struct Header: Codable {
    let alg: String
    let kid: String
    let typ: String
  }

  /// A token of `application` for `audience`.
  /// - Parameter now: seconds since 1970.
  func issue(to application: Application, audience: String, scopes: [String], now: Int) throws -> String {
    let claims = TokenClaims(
      aud: [audience], azp: application.clientID, exp: now + lifetime, gty: ["client_credentials"], iat: now,
      iss: issuer, jti: Self.randomIdentifier(), organization: application.organization,
      scope: scopes.joined(separator: " "), scp: scopes, v: "2")
    let header = Header(alg: "RS256", kid: key.identifier, typ: "JWT")
    let signed = try Self.part(header) + "." + Self.part(claims)
    return signed + "." + Base64URL.encode(try key.sign(Array(signed.utf8)))
  }

  /// What `token` says, if this mint issued it and it is still valid.
  /// - Parameter now: seconds since 1970.
  func check(_ token: String, now: Int) throws(TokenFault) -> TokenClaims {
    let parts = token.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, let header: Header = Self.value(parts[0]), let signature = Base64URL.decode(parts[2]) else {
      throw .malformed
    }
    guard header.alg == "RS256", header.kid == key.identifier else { throw .otherKey }
    guard key.verifies(signature, of: Array("\(parts[0]).\(parts[1])".utf8)) else { throw .wrongSignature }
    guard let claims: TokenClaims = Self.value(parts[1]), claims.iss == issuer else { throw .malformed }
    guard now < claims.exp else { throw .expired(secondsAgo: now - claims.exp) }
    return claims
  }

  private static func part(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Base64URL.encode(Array(try encoder.encode(value)))
  }

  private static func value<Value: Decodable>(_ part: Substring) -> Value? {
    // Whatever is wrong with it, the token is malformed; what exactly would help nobody but a forger.
    Base64URL.decode(part).flatMap { try? JSONDecoder().decode(Value.self, from: Data($0)) }
  }

  /// A random UUID (RFC 9562 5.4).
  private static func randomIdentifier() -> String {
    UUID().uuidString.lowercased()
  }
}
