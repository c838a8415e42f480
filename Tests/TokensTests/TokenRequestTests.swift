import Foundation
import Secrets
import Testing
import Tokens

@Suite("What is sent to the token endpoint")
struct TokenRequestTests {
  @Test("client_secret_post sends the grant, the client, audience and scopes as a form")
  func post() throws {
    let request = try TokenGrant.example(scopes: ["read:orders", "a b"]).request()
    #expect(request.url == "https://acme.kinde.com/oauth2/token")
    #expect(
      request.body.text
        == "grant_type=client_credentials&client_id=client-1&audience=https%3A%2F%2Forders.example.com"
        + "&scope=a%20b%20read%3Aorders&client_secret=s3cr3t%2B%2F%20%25%26")
    #expect(request.field("Content-Type") == "application/x-www-form-urlencoded")
    #expect(request.field("Accept") == "application/json")
    #expect(request.field("Authorization") == nil)
    #expect(request.fields.count == 2)
  }

  @Test("client_secret_basic form-encodes id and secret before base64, and keeps both out of the form")
  func basic() throws {
    let request = try TokenGrant.example(clientID: "id:ü", authentication: .clientSecretBasic).request()
    #expect(
      request.body.text
        == "grant_type=client_credentials&audience=https%3A%2F%2Forders.example.com&scope=read%3Aorders")
    let field = try #require(request.field("Authorization"))
    #expect(field.hasPrefix("Basic "))
    let decoded = try #require(Data(base64Encoded: String(field.dropFirst(6))))
    #expect(String(decoding: decoded, as: UTF8.self) == "id%3A%C3%BC:s3cr3t%2B%2F%20%25%26")
  }

  @Test("an empty scope and a missing audience are left out")
  func leavesOutWhatIsEmpty() throws {
    let body = try TokenGrant.example(audience: nil, scopes: []).request().body.text
    #expect(body == "grant_type=client_credentials&client_id=client-1&client_secret=s3cr3t%2B%2F%20%25%26")
    #expect(try TokenGrant.example(audience: nil, scopes: [""]).request().body.text == body)
  }

  @Test("further parameters go into the form, in the order of their names")
  func furtherParameters() throws {
    let body = try TokenGrant.example(
      audience: nil, scopes: [], parameters: ["z": "1&2", "resource": "urn:x"]
    ).request().body.text
    #expect(
      body == "grant_type=client_credentials&client_id=client-1&resource=urn%3Ax&z=1%262"
        + "&client_secret=s3cr3t%2B%2F%20%25%26")
  }

  @Test("resources are sent one by one, in a fixed order and each once")
  func resources() throws {
    let grant = TokenGrant.example(audience: nil, scopes: [], resources: ["urn:b", "https://a/", "urn:b"])
    #expect(
      try grant.request().body.text
        == "grant_type=client_credentials&client_id=client-1&resource=https%3A%2F%2Fa%2F&resource=urn%3Ab"
        + "&client_secret=s3cr3t%2B%2F%20%25%26")
  }

  @Test("further header fields are sent beside the usual ones")
  func furtherHeaders() throws {
    let request = try TokenGrant.example(headers: ["x-tenant": Secret("acme"), "x-api-key": Secret("k3y")]).request()
    #expect(request.fields.map(\.name) == ["Content-Type", "Accept", "x-api-key", "x-tenant"])
    #expect(request.field("x-tenant") == "acme")
    #expect(request.field("x-api-key") == "k3y")
  }

  @Test("client_secret_basic_raw sends id and secret without form-encoding, in a header field")
  func rawBasic() throws {
    let request = try TokenGrant.example(
      clientID: "a b", authentication: .clientSecretBasicRaw, audience: nil, scopes: []
    )
    .request()
    #expect(request.body.text == "grant_type=client_credentials")
    #expect(request.field("Authorization") == "Basic " + Data("a b:s3cr3t+/ %&".utf8).base64EncodedString())
  }

  @Test("tls_client_auth sends the client id, and leaves the proof to the certificate")
  func certificate() throws {
    let request = try TokenGrant.example(authentication: .tlsClientAuth, secret: "").request()
    #expect(
      request.body.text == "grant_type=client_credentials&client_id=client-1"
        + "&audience=https%3A%2F%2Forders.example.com&scope=read%3Aorders")
    #expect(request.field("Authorization") == nil)
  }

  @Test("bytes outside of ASCII, and all of them, survive the form")
  func everyByteSurvives() throws {
    let secret = String(String.UnicodeScalarView((1...0x2FF).compactMap(Unicode.Scalar.init)))
    let body = try TokenGrant.example(secret: secret, audience: nil, scopes: []).request().body.text
    let encoded = try #require(body.split(separator: "client_secret=").last)
    #expect(encoded.removingPercentEncoding == secret)
  }

  @Test("a request has 10 s, or what is left of them")
  func timeout() throws {
    #expect(try TokenGrant.example().request().timeout == .seconds(10))
    #expect(try TokenGrant.example().request(timeout: .seconds(3)).timeout == .seconds(3))
  }
}
