import Cryptography
import Encodings
import ExampleKeys
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

  /// For another key than ``ExampleKey/p256``.
  private static let otherCertificate = """
    -----BEGIN CERTIFICATE-----
    MIIBdzCCAR2gAwIBAgIUJq6H4P4SNXcB/4+EfA1K0G5ccPkwCgYIKoZIzj0EAwIw
    EDEOMAwGA1UEAwwFb3RoZXIwIBcNMjYxMTMwMTIxNzQyWhgPMjEyNTA2MjQxMjE3
    NDJaMBAxDjAMBgNVBAMMBW90aGVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
    f5+NuwbjbPLCvbwPYYJ1q6XQjCZEPSZ2zogC+QLMXkkLpjnUMOwJZfJ2IXgvTubx
    INmA5eVMCsZL0T2n4iO4AKNTMFEwHQYDVR0OBBYEFP2VhbrEnJopWRXNNUJsS4qR
    IrMmMB8GA1UdIwQYMBaAFP2VhbrEnJopWRXNNUJsS4qRIrMmMA8GA1UdEwEB/wQF
    MAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgezGby9WC/pu/PEj6zrxBGopO7aD7+et1
    0qE1oZS6dFgCIQD1slaSJq/HT5gAVMzZMDp0qJ4UgnCAqyoZRy+qTJIZsQ==
    -----END CERTIFICATE-----
    """

  private func grant(
    keyFile: String, certificateFile: String? = nil, keyID: String? = "key-1", algorithm: SignatureAlgorithm? = nil,
    clientID: String = "client-1", lifetime: Int64 = 60
  ) -> TokenGrant {
    .example(
      clientID: clientID,
      authentication: .privateKeyJWT(
        ClientAssertion(
          keyFile: keyFile, certificateFile: certificateFile, keyID: keyID, algorithm: algorithm,
          audience: "https://id.example.com/token", lifetime: lifetime)),
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
    try withFile(ExampleKey.p256) { path in
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
      #expect(claims["iat"] as? Int == 1_799_999_990)
      #expect(claims["exp"] as? Int == 1_800_000_060)
      #expect((claims["jti"] as? String)?.count == 22)
      let signature = try #require(Base64.url.decode(parts[2]))
      let key = try PrivateKey(pem: ExampleKey.p256.utf8Span.span)
      #expect(key.verifies(signature, of: Array("\(parts[0]).\(parts[1])".utf8), by: .es256))
    }
  }

  @Test("are new for each attempt")
  func unique() throws {
    try withFile(ExampleKey.p256) { path in
      let grant = grant(keyFile: path)
      let assertions = try (0..<3).map { _ in form(try grant.request())["client_assertion"] }
      #expect(Set(assertions).count == 3)
    }
  }

  @Test("quote what the configuration holds")
  func quoting() throws {
    try withFile(ExampleKey.p256) { path in
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
        == "No request was sent to acme.kinde.com: file /nowhere/key.pem cannot be read: No such file or directory.")
    #expect(gone.endpoint.requests.isEmpty)
    try withFile(ExampleKey.p256) { path in
      let cause = #expect(throws: TokenFailure.Cause.self) { try grant(keyFile: path, algorithm: .rs256).request() }
      guard case .unusable(let detail) = cause else { return #expect(Bool(false), "\(String(describing: cause))") }
      #expect(detail.hasSuffix("holds a key (P-256) that is not fit for the signing algorithm"))
    }
  }

  private func claims(_ request: TokenHTTPRequest) throws -> [String: Any] {
    try decoded(try #require(form(request)["client_assertion"]).split(separator: ".")[1])
  }

  @Test("are valid as long as the configuration says")
  func lifetime() throws {
    try withFile(ExampleKey.p256) { path in
      let claims = try claims(try grant(keyFile: path, lifetime: 600).request())
      #expect(claims["exp"] as? Int == 1_800_000_600 && claims["iat"] as? Int == 1_799_999_990)
    }
  }

  @Test("name the key's certificate where there is one, read anew each time, and are not made with that of another key")
  func certificate() throws {
    try withFile(ExampleKey.p256) { path in
      try withFile(ExampleKey.certificateUntil2125) { certificate in
        let grant = grant(keyFile: path, certificateFile: certificate)
        let header = try decoded(try #require(form(try grant.request())["client_assertion"]).split(separator: ".")[0])
        #expect(header["x5t"] as? String == "1MwYXZLPVkZNqzQKb1wBmqrRhiw")
        #expect(header["x5t#S256"] as? String == "dh2YD_HfnxhR1cbys5M4_g6rnVk5maEuZyGx_NhO8Vo")
        try Data(Self.otherCertificate.utf8).write(to: URL(fileURLWithPath: certificate))
        #expect(
          throws: TokenFailure.Cause.unusable(
            detail: "file \(path) holds a key that does not belong to the certificate in \(certificate)")
        ) { try grant.request() }
      }
    }
  }

  // MARK: Clocks

  private func assertionTimes(_ workshop: Workshop) throws -> [Int] {
    try workshop.endpoint.requests.map { try #require(try claims($0)["iat"] as? Int) + 10 }
  }

  @Test("are made by the server's clock when it is more than 5 s off, and a refusal that tells of it costs no failure")
  func skewedClock() async throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("assertion-\(UUID().uuidString).pem")
    try Data(ExampleKey.p256.utf8).write(to: url)
    defer { try? FileManager.default.removeItem(at: url) }
    let workshop = Workshop(grant: grant(keyFile: url.path))
    let own = Int(workshop.clock.clock.wallSeconds)
    func date(_ seconds: Int) -> String {
      String(decoding: HTTPDate.text(secondsSince1970: UInt64(seconds)), as: UTF8.self)
    }
    workshop.endpoint.replies(.json(#"{"error":"invalid_client"}"#, status: 401, date: date(own - 300)))
    workshop.endpoint.replies(.json(#"{"access_token":"a","expires_in":3600}"#, date: date(own - 300)))
    #expect(await workshop.obtain()?.success != nil)
    #expect(try assertionTimes(workshop) == [own, own - 300])

    // Ours is set right: the two agree, although the server has not been asked meanwhile.
    workshop.clock.stepWallClock(by: -300)
    workshop.clock.advance(by: .seconds(3600))
    workshop.endpoint.replies(.token())
    #expect(await workshop.obtain()?.success != nil)
    #expect(try assertionTimes(workshop) == [own, own - 300, own + 3300])
  }

  @Test("after a refusal by a server whose clock is right there is no second attempt")
  func rightClock() async throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("assertion-\(UUID().uuidString).pem")
    try Data(ExampleKey.p256.utf8).write(to: url)
    defer { try? FileManager.default.removeItem(at: url) }
    let workshop = Workshop(grant: grant(keyFile: url.path))
    let date = HTTPDate.text(secondsSince1970: UInt64(workshop.clock.clock.wallSeconds + 4))
    workshop.endpoint.replies(
      .json(#"{"error":"invalid_client"}"#, status: 401, date: String(decoding: date, as: UTF8.self)))
    #expect(await workshop.obtain()?.failure != nil)
    #expect(workshop.endpoint.requests.count == 1)
  }

  // MARK: From a file

  private func fileGrant(_ path: String) -> TokenGrant {
    .example(
      authentication: .clientAssertion(AssertionFile(path: path)), secret: "", audience: nil, scopes: [],
      provider: .generic)
  }

  @Test("from a file are sent as they are, and read anew for each attempt")
  func fromFile() throws {
    try withFile(webToken(#"{"exp":1800000060}"#) + "\n") { path in
      let grant = fileGrant(path)
      let form = form(try grant.request())
      #expect(Set(form.keys) == ["grant_type", "client_id", "client_assertion_type", "client_assertion"])
      #expect(form["client_assertion"] == webToken(#"{"exp":1800000060}"#))
      #expect(form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
      try Data(webToken(#"{"exp":1800000061}"#).utf8).write(to: URL(fileURLWithPath: path))
      let renewed = try grant.request()
      #expect(self.form(renewed)["client_assertion"] == webToken(#"{"exp":1800000061}"#))
    }
  }

  @Test("from a file are not sent when they are expired, gone, or nothing of the kind")
  func unusableFile() throws {
    func detail(_ content: String) throws -> String {
      try withFile(content) { path in
        do { _ = try fileGrant(path).request() } catch TokenFailure.Cause.unusable(let detail) {
          return detail.replacing(path, with: "F")
        }
        return "was sent"
      }
    }
    #expect(
      try detail(webToken(#"{"exp":1799999875}"#))
        == "the assertion in file F expired 125 s ago; what writes it has not renewed it, or this machine's clock is wrong"
    )
    #expect(
      try detail(webToken(#"{"exp":1800000000}"#))
        == "the assertion in file F expired 0 s ago; what writes it has not renewed it, or this machine's clock is wrong"
    )
    #expect(
      try detail(webToken(#"{"exp":-1e300}"#))
        == "the assertion in file F expired long ago; what writes it has not renewed it, or this machine's clock is wrong"
    )
    #expect(try detail("") == "file F is empty")
    for content in ["secret", "a.b", "a.b.c.d", ".e30.", "e30.e30.", "e30.!.e30", "e30.e30.é"] {
      #expect(try detail(content) == "file F holds no JSON Web Token", "\(content)")
    }
  }

  @Test("without an expiry are left to the server")
  func withoutExpiry() throws {
    for claims in ["{}", #"{"exp":"soon"}"#, "[]"] {
      try withFile(webToken(claims)) { path in
        let request = try fileGrant(path).request()
        #expect(form(request)["client_assertion"] == webToken(claims))
      }
    }
  }

  @Test("are judged by the server's clock when it is known")
  func expiryByServerClock() async throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("assertion-\(UUID().uuidString)")
    try Data(webToken(#"{"exp":1800000100}"#).utf8).write(to: url)
    defer { try? FileManager.default.removeItem(at: url) }
    let workshop = Workshop(grant: fileGrant(url.path))
    let date = String(decoding: HTTPDate.text(secondsSince1970: 1_800_000_200), as: UTF8.self)
    workshop.endpoint.replies(.json(#"{"access_token":"a","expires_in":10}"#, date: date))
    #expect(await workshop.obtain()?.success != nil)
    workshop.clock.advance(by: .seconds(10))
    let failure = try #require(await workshop.obtain()?.failure)
    #expect(failure.detail.contains("expired 110 s ago"))
    #expect(workshop.endpoint.requests.count == 1)
  }

  @Test("are in no message, although the server repeats them")
  func echo() async throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("assertion-\(UUID().uuidString)")
    let assertion = webToken("{}")
    try Data(assertion.utf8).write(to: url)
    defer { try? FileManager.default.removeItem(at: url) }
    let workshop = Workshop(grant: fileGrant(url.path))
    workshop.endpoint.replies(
      .json(#"{"error":"invalid_client","error_description":"bad: \#(assertion)"}"#, status: 401))
    let failure = try #require(await workshop.obtain()?.failure)
    #expect(failure.detail == "acme.kinde.com responded with invalid_client.")
  }
}
