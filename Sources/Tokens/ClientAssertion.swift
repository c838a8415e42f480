public import Cryptography
internal import Encodings
import Secrets

/// What the assertions of a client are made of (RFC 7523, 3; OpenID Connect Core, 9): a new one for each attempt.
public struct ClientAssertion: Hashable, Sendable {
  /// How long an assertion is good for, in seconds: it is used at once, and once.
  static let lifetime: Int64 = 60

  /// The PEM file of the private key. It is read for each assertion, so that a new key needs no restart.
  public let keyFile: String
  /// The name of the key at the server (`kid`), if it needs one.
  public let keyID: String?
  /// The algorithm; nil for the usual one of the key.
  public let algorithm: SignatureAlgorithm?
  /// Who the assertion is for: the token endpoint, or what the server calls itself.
  public let audience: String

  /// Assertions of these parts.
  public init(keyFile: String, keyID: String?, algorithm: SignatureAlgorithm?, audience: String) {
    self.keyFile = keyFile
    self.keyID = keyID
    self.algorithm = algorithm
    self.audience = audience
  }

  /// A new assertion for the client `clientID`, issued at `wallSeconds` after 1970.
  func signed(for clientID: String, at wallSeconds: Int64) throws(TokenFailure.Cause) -> Secret {
    let key: PrivateKey
    do { key = try PrivateKey(file: keyFile) } catch { throw unusable("file \(keyFile) \(error)") }
    guard let algorithm = algorithm ?? key.algorithms.first, key.algorithms.contains(algorithm) else {
      throw unusable("file \(keyFile) holds a key (\(key.kind)) that is not fit for the signing algorithm")
    }
    let keyID = keyID.map { #","kid":\#(JSONText.quoted($0))"# } ?? ""
    let client = JSONText.quoted(clientID)
    do {
      let header = #"{"alg":"\#(algorithm.rawValue)","typ":"JWT"\#(keyID)}"#
      let claims = """
        {"iss":\(client),"sub":\(client),"aud":\(JSONText.quoted(audience)),"iat":\(wallSeconds),\
        "exp":\(wallSeconds + Self.lifetime),"jti":"\(Base64.url.encode(try RandomBytes.make(16)))"}
        """
      let signed = "\(Base64.url.encode(Array(header.utf8))).\(Base64.url.encode(Array(claims.utf8)))"
      let signature = try key.signature(of: Array(signed.utf8), by: algorithm)
      return Secret("\(signed).\(Base64.url.encode(signature))")
    } catch {
      throw unusable("the client assertion cannot be made: \(error)")
    }
  }

  private func unusable(_ detail: String) -> TokenFailure.Cause { .unusable(detail: PrintableText.cleaned(detail)) }
}

/// As much of a JSON Web Token (RFC 7519) as is needed here; it is not verified, that is the API's part.
struct WebToken {
  /// The claim `exp`, in seconds since 1970.
  private(set) var expiry: Double?
  /// The claim `iat`, in seconds since 1970.
  private(set) var issuedAt: Double?

  /// The claims of `token`; nil when it is no JWT in compact form.
  init?(_ token: Span<UInt8>) {
    let dots = token.indices.filter { token[$0] == UInt8(ascii: ".") }
    guard dots.count == 2, let payload = Base64.url.decode(token.extracting((dots[0] + 1)..<dots[1])) else {
      return nil
    }
    do {
      let claims = try JSONObject(payload.span)
      func number(_ name: String) -> Double? {
        guard case .number(let range) = claims[name] else { return nil }
        return Seconds.number(payload.span.extracting(range))
      }
      expiry = number("exp")
      issuedAt = number("iat")
    } catch {
      // An opaque token may happen to have two dots: not being a JWT is no failure.
      return nil
    }
  }
}
