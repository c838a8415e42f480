import Cryptography
import Encodings
import Foundation
import Testing
import Tokens

@Suite("Client assertions")
struct ClientAssertionTests {
  /// Calls `body` with the path of a file that holds `content`.
  private func withFile<R>(_ content: String, _ body: (String) throws -> R) throws -> R {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("assertion-\(UUID().uuidString).pem")
    try Data(content.utf8).write(to: url)
    defer { try? FileManager.default.removeItem(at: url) }
    return try body(url.path)
  }

  /// A key that signs with ES256 and protects nothing (RFC 7515, A.3).
  private static let key = """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff
    H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp
    7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt
    -----END PRIVATE KEY-----
    """

  private func grant(
    keyFile: String, keyID: String? = "key-1", algorithm: SignatureAlgorithm? = nil, clientID: String = "client-1"
  ) -> TokenGrant {
    .example(
      clientID: clientID,
      authentication: .privateKeyJWT(
        ClientAssertion(
          keyFile: keyFile, keyID: keyID, algorithm: algorithm, audience: "https://id.example.com/token")),
      secret: "", audience: nil, scopes: [])
  }

  private func form(_ request: TokenHTTPRequest) -> [String: String] {
    Dictionary(
      uniqueKeysWithValues: request.body.text.split(separator: "&").map { field in
        let parts = field.split(separator: "=", maxSplits: 1).map { String($0).removingPercentEncoding ?? "" }
        return (parts[0], parts[1])
      })
  }

  private func decoded(_ part: Substring) throws -> [String: Any] {
    let bytes = try #require(Base64.url.decode(part))
    return try #require(JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
  }

  @Test("say who the client is, for whom, and for how long, and are signed by the key")
  func claims() throws {
    try withFile(Self.key) { path in
      let request = try grant(keyFile: path).request(wallSeconds: 1_800_000_000)
      #expect(request.field("Authorization") == nil)
      let form = form(request)
      #expect(Set(form.keys) == ["grant_type", "client_id", "client_assertion_type", "client_assertion"])
      #expect(form["client_id"] == "client-1")
      #expect(form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
      let assertion = try #require(form["client_assertion"])
      let parts = assertion.split(separator: ".")
      try #require(parts.count == 3)
      #expect(try decoded(parts[0]) as? [String: String] == ["alg": "ES256", "typ": "JWT", "kid": "key-1"])
      let claims = try decoded(parts[1])
      #expect(Set(claims.keys) == ["iss", "sub", "aud", "iat", "exp", "jti"])
      #expect(claims["iss"] as? String == "client-1")
      #expect(claims["sub"] as? String == "client-1")
      #expect(claims["aud"] as? String == "https://id.example.com/token")
      #expect(claims["iat"] as? Int == 1_800_000_000)
      #expect(claims["exp"] as? Int == 1_800_000_060)
      #expect((claims["jti"] as? String)?.count == 22)
      let signature = try #require(Base64.url.decode(parts[2]))
      let key = try PrivateKey(pem: Self.key.utf8Span.span)
      #expect(key.verifies(signature, of: Array("\(parts[0]).\(parts[1])".utf8), by: .es256))
    }
  }

  @Test("are new for each attempt")
  func unique() throws {
    try withFile(Self.key) { path in
      let grant = grant(keyFile: path)
      let assertions = try (0..<3).map { _ in form(try grant.request())["client_assertion"] }
      #expect(Set(assertions).count == 3)
    }
  }

  @Test("quote what the configuration holds")
  func quoting() throws {
    try withFile(Self.key) { path in
      let form = form(try grant(keyFile: path, keyID: #"k"\"#, clientID: #"a"b\c"#).request())
      let parts = try #require(form["client_assertion"]).split(separator: ".")
      #expect(try decoded(parts[0])["kid"] as? String == #"k"\"#)
      #expect(try decoded(parts[1])["iss"] as? String == #"a"b\c"#)
    }
  }

  @Test("cannot be made with a key that is gone, or not fit for the algorithm; nothing is sent then")
  func unusable() async throws {
    let gone = Workshop(grant: grant(keyFile: "/nowhere/key.pem"))
    let failure = try #require(await gone.obtain()?.failure)
    #expect(
      failure.detail
        == "acme.kinde.com was not asked: file /nowhere/key.pem cannot be read: No such file or directory.")
    #expect(gone.endpoint.requests.isEmpty)
    try withFile(Self.key) { path in
      let cause = #expect(throws: TokenFailure.Cause.self) { try grant(keyFile: path, algorithm: .rs256).request() }
      guard case .unusable(let detail) = cause else { return #expect(Bool(false), "\(String(describing: cause))") }
      #expect(detail.hasSuffix("holds a key (P-256) that is not fit for the signing algorithm"))
    }
  }
}
