internal import Cryptography
internal import Encodings
internal import FoundationEssentials

/// Issues and verifies access tokens: JSON Web Tokens signed with RS256 (RFC 7515, RFC 7519).
struct TokenMint: Sendable {
  /// The `iss` of the tokens: the URL of the authorization server.
  let issuer: String
  /// The signing key.
  let key: SigningKey
  /// The lifetime of a token in seconds.
  let lifetime: Int

  private struct Header: Codable {
    let alg: String
    let kid: String
    let typ: String
  }

  /// Issues a token to `application` for `audience`.
  /// - Parameter now: seconds since 1970.
  func issue(
    to application: Application, audience: String, scopes: [String], requested: [String]? = nil, now: Int
  ) throws -> String {
    let claims = TokenClaims(
      aud: [audience], azp: application.clientID, exp: now + lifetime, gty: ["client_credentials"], iat: now,
      iss: issuer, jti: Self.randomIdentifier(), organization: application.organization,
      scope: scopes.joined(separator: " "), scp: requested ?? scopes, v: "2")
    let header = Header(alg: "RS256", kid: key.identifier, typ: "JWT")
    let signed = try Self.part(header) + "." + Self.part(claims)
    return signed + "." + Base64.url.encode(try key.sign(Array(signed.utf8)))
  }

  /// The claims of `token`, if this mint issued it and it is still valid.
  /// - Parameter now: seconds since 1970.
  func check(_ token: String, now: Int) throws(TokenFault) -> TokenClaims {
    let parts = token.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, let header: Header = Self.value(parts[0]), let signature = Base64.url.decode(parts[2])
    else {
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
    return Base64.url.encode(Array(try encoder.encode(value)))
  }

  private static func value<Value: Decodable>(_ part: Substring) -> Value? {
    // Any error makes the token malformed; details would only help a forger.
    Base64.url.decode(part).flatMap { try? JSONDecoder().decode(Value.self, from: Data($0)) }
  }

  /// A random UUID (RFC 9562 section 5.4).
  private static func randomIdentifier() -> String {
    UUID().uuidString.lowercased()
  }
}

/// The claims of a Kinde access token of an M2M application.
struct TokenClaims: Codable, Equatable {
  /// The audiences; an array even if there is only one.
  let aud: [String]
  /// The client id of the application.
  let azp: String
  /// When it expires, in seconds since 1970.
  let exp: Int
  /// The grants by which it was obtained.
  let gty: [String]
  /// When it was issued, in seconds since 1970.
  let iat: Int
  /// The issuer.
  let iss: String
  /// The unique identifier of the token.
  let jti: String
  /// The organisation, if the application is limited to one.
  let organization: String?
  /// The scopes, separated by spaces.
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

/// Why a token is rejected.
enum TokenFault: Error, Equatable {
  /// It is not a JSON Web Token, or lacks claims of an access token.
  case malformed
  /// Another key signed it, or another algorithm was used.
  case otherKey
  /// The signature does not match the token.
  case wrongSignature
  /// It expired this many seconds ago.
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
      "the token is for the audience \(audience.joined(separator: ", ")), but this API's is \(expected)"
    }
  }
}

/// An RSA key that signs with RS256 (RFC 7518 section 3.3), and verifies its signatures.
final class SigningKey: Sendable {
  /// The thumbprint of the public key (RFC 7638), which tokens name as `kid`.
  let identifier: String
  /// The modulus, base64url.
  let modulus: String
  /// The public exponent, base64url.
  let exponent: String

  private let key: PrivateKey

  /// Generates a key of 2,048 bits.
  init() throws(SandboxError) {
    do {
      key = try PrivateKey.generateRSA()
      guard let numbers = key.rsaNumbers else { throw SandboxError.cryptography("an RSA key without a modulus") }
      modulus = Base64.url.encode(numbers.modulus)
      exponent = Base64.url.encode(numbers.exponent)
      // RFC 7638 section 3.2: the required members, sorted by name, without whitespace.
      let members = Array(#"{"e":"\#(exponent)","kty":"RSA","n":"\#(modulus)"}"#.utf8)
      identifier = Base64.url.encode(try SHA256.digest(of: members.span))
    } catch let error as SandboxError {
      throw error
    } catch {
      throw .cryptography("\(error)")
    }
  }

  /// The signature of `message`.
  func sign(_ message: [UInt8]) throws(SandboxError) -> [UInt8] {
    do { return try key.signature(of: message, by: .rs256) } catch { throw .cryptography(error.description) }
  }

  /// Whether `signature` is a signature of `message` by this key.
  func verifies(_ signature: [UInt8], of message: [UInt8]) -> Bool {
    key.verifies(signature, of: message, by: .rs256)
  }
}

/// The public keys of the issuer (RFC 7517 section 5): exactly one.
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
