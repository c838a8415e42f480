public import Cryptography
internal import Encodings
import Secrets

/// The settings of a client's assertions (RFC 7523 section 3; OpenID Connect Core section 9): each attempt gets a new one.
public struct ClientAssertion: Hashable, Sendable {
  /// How far back `iat` lies, for a server whose clock is a little behind: many reject assertions from the future.
  static let allowance: Int64 = 10

  /// The PEM file of the private key. It is read for each assertion, so that a new key needs no restart.
  public let keyFile: String
  /// The PEM file of the certificate whose digests the header names (`x5t`, `x5t#S256`); nil for none. It is read for
  /// each assertion too.
  public let certificateFile: String?
  /// The name of the key at the server (`kid`), if it needs one.
  public let keyID: String?
  /// The algorithm; nil for the key's default.
  public let algorithm: SignatureAlgorithm?
  /// The audience of the assertion: the token endpoint, or what the server calls itself.
  public let audience: String
  /// How long an assertion is valid, in seconds: each is used at once, and once only.
  public let lifetime: Int64

  /// Creates the settings.
  public init(
    keyFile: String, certificateFile: String? = nil, keyID: String?, algorithm: SignatureAlgorithm?, audience: String,
    lifetime: Int64 = 60
  ) {
    self.keyFile = keyFile
    self.certificateFile = certificateFile
    self.keyID = keyID
    self.algorithm = algorithm
    self.audience = audience
    self.lifetime = lifetime
  }

  /// A new assertion for the client `clientID`, made at `wallSeconds` after 1970.
  func signed(for clientID: String, at wallSeconds: Int64) throws(TokenFailure.Cause) -> Secret {
    let key: PrivateKey
    do { key = try PrivateKey(file: keyFile) } catch { throw .unusable("file \(keyFile) \(error)") }
    guard let algorithm = algorithm ?? key.algorithms.first, key.algorithms.contains(algorithm) else {
      throw .unusable("file \(keyFile) holds a key (\(key.kind)) that is not fit for the signing algorithm")
    }
    let names = (keyID.map { #","kid":\#(JSONText.quoted($0))"# } ?? "") + (try thumbprints(key))
    let client = JSONText.quoted(clientID)
    do {
      let header = #"{"alg":"\#(algorithm.rawValue)","typ":"JWT"\#(names)}"#
      let claims = """
        {"iss":\(client),"sub":\(client),"aud":\(JSONText.quoted(audience)),"iat":\(wallSeconds - Self.allowance),\
        "exp":\(wallSeconds + lifetime),"jti":"\(Base64.url.encode(try RandomBytes.make(16)))"}
        """
      let signed = "\(Base64.url.encode(Array(header.utf8))).\(Base64.url.encode(Array(claims.utf8)))"
      let signature = try key.signature(of: Array(signed.utf8), by: algorithm)
      return Secret("\(signed).\(Base64.url.encode(signature))")
    } catch {
      throw .unusable("the client assertion cannot be made: \(error)")
    }
  }

  /// The members of the header that name the certificate of `key`.
  private func thumbprints(_ key: PrivateKey) throws(TokenFailure.Cause) -> String {
    guard let certificateFile else { return "" }
    let certificate: Certificate
    do { certificate = try Certificate.first(inFile: certificateFile) } catch {
      throw .unusable("file \(certificateFile) \(error)")
    }
    guard certificate.belongs(to: key) else {
      throw .unusable("file \(keyFile) holds a key that does not belong to the certificate in \(certificateFile)")
    }
    let (sha1, sha256) = certificate.thumbprints
    return #","x5t":"\#(Base64.url.encode(sha1))","x5t#S256":"\#(Base64.url.encode(sha256))""#
  }
}

extension TokenFailure.Cause {
  /// The client cannot authenticate, for this reason.
  fileprivate static func unusable(_ detail: String) -> TokenFailure.Cause {
    .unusable(detail: PrintableText.cleaned(detail))
  }
}

/// A file into which another program writes assertions for the client (RFC 7523 section 2.2), and renews them:
/// Kubernetes writes tokens of service accounts, SPIFFE its JWT-SVIDs.
public struct AssertionFile: Hashable, Sendable {
  /// Where it is. It is read for each attempt.
  public let path: String

  /// The file at `path`.
  public init(path: String) { self.path = path }

  /// The assertion in the file, which must not have expired at `wallSeconds` after 1970.
  func read(at wallSeconds: Int64) throws(TokenFailure.Cause) -> Secret {
    let assertion: Secret
    do { assertion = try SecretSource.file(path: path).read(environment: [:]) } catch { throw .unusable("\(error)") }
    guard let claims = assertion.withBytes({ CompactWebToken.payload(of: $0) }) else {
      throw .unusable("file \(path) holds no JSON Web Token")
    }
    if let expiry = WebToken(claims: claims.span)?.expiry, expiry <= Double(wallSeconds) {
      let age = Double(wallSeconds) - expiry
      let elapsed = age < 1e9 ? "\(Int64(age)) s" : "long"
      throw .unusable(
        "the assertion in file \(path) expired \(elapsed) ago; what writes it has not renewed it, or this machine's clock is wrong"
      )
    }
    return assertion
  }
}

/// As much of a JSON Web Token (RFC 7519) as the proxy needs; it is not verified, that is the API's job.
struct WebToken {
  // Dates beyond the year 30000 mean "never", or nothing.
  private static let latest = 1e12

  /// The claim `exp`, in seconds since 1970.
  private(set) var expiry: Double?
  /// The claim `iat`, in seconds since 1970.
  private(set) var issuedAt: Double?

  /// The claims of `token`; nil if it is not a JWT in compact form.
  init?(_ token: Span<UInt8>) {
    let dots = token.indices.filter { token[$0] == UInt8(ascii: ".") }
    guard dots.count == 2, let payload = Base64.url.decode(token.extracting((dots[0] + 1)..<dots[1])) else {
      return nil
    }
    self.init(claims: payload.span)
  }

  /// The claims in `payload`; nil if it is not a JSON object.
  init?(claims payload: Span<UInt8>) {
    do {
      let claims = try JSONObject(payload)
      func number(_ name: String) -> Double? {
        guard case .number(let range) = claims[name], let number = Seconds.number(payload.extracting(range)),
          number <= Self.latest
        else { return nil }
        return max(0, number)
      }
      expiry = number("exp")
      issuedAt = number("iat")
    } catch {
      // An opaque token may happen to have two dots: not being a JWT is no error.
      return nil
    }
  }
}
