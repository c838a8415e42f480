import Cryptography
import Secrets
import Testing
import Tokens

@Suite("Which requests may share a token")
struct TokenRequestKeyTests {
  @Test("the order of scopes, and naming one twice, make no difference")
  func scopesAreASet() {
    #expect(TokenGrant.example(scopes: ["b", "a", "b"]).key == TokenGrant.example(scopes: ["a", "b"]).key)
    #expect(TokenGrant.example(scopes: ["b", "a", "b"]).key.scopes == ["a", "b"])
  }

  @Test(
    "everything that is sent makes a difference",
    arguments: [
      TokenGrant.example(endpoint: "https://beta.kinde.com/oauth2/token"), .example(clientID: "client-2"),
      .example(authentication: .clientSecretBasic), .example(audience: "https://other.example.com"),
      .example(audience: nil), .example(scopes: []), .example(scopes: ["read:orders", "write:orders"]),
      .example(parameters: ["resource": "urn:x"]),
      .example(resources: ["urn:x"]), .example(headers: ["x-tenant": Secret("acme")]),
      .example(authentication: .tlsClientAuth),
      .example(
        authentication: .privateKeyJWT(
          ClientAssertion(keyFile: "/key.pem", keyID: nil, algorithm: nil, audience: "https://acme.kinde.com"))),
    ])
  func everythingSentCounts(grant: TokenGrant) {
    #expect(grant.key != TokenGrant.example().key)
  }

  @Test("every part of an assertion and every value of a header makes a difference")
  func partsCount() {
    func key(_ file: String = "/a", _ id: String? = nil, _ audience: String = "https://a") -> TokenRequestKey {
      TokenGrant.example(
        authentication: .privateKeyJWT(
          ClientAssertion(keyFile: file, keyID: id, algorithm: .rs256, audience: audience))
      ).key
    }
    #expect(Set([key(), key(), key("/b"), key("/a", "1"), key("/a", nil, "https://b")]).count == 4)
    func key(tenant: String) -> TokenRequestKey { TokenGrant.example(headers: ["x-tenant": Secret(tenant)]).key }
    #expect(key(tenant: "acme") == key(tenant: "acme"))
    #expect(key(tenant: "acme") != key(tenant: "beta"))
    #expect(
      TokenGrant.example(resources: ["b", "a", "b"]).key == TokenGrant.example(resources: ["a", "b"]).key)
  }

  @Test(
    "messages call the endpoint by host and port",
    arguments: [
      ("https://acme.kinde.com/oauth2/token", "acme.kinde.com"),
      ("http://127.0.0.1:9400/oauth2/token", "127.0.0.1:9400"),
      ("https://[::1]:8443?x=/", "[::1]:8443"), ("https://user:password@id.example.com/token", "id.example.com"),
      ("https://id.example.com#://", "id.example.com"), ("id.example.com/token", "id.example.com"),
    ])
  func endpointHost(endpoint: String, host: String) {
    #expect(TokenGrant.example(endpoint: endpoint).key.endpointHost == host)
  }
}
