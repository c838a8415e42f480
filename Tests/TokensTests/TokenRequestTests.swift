import Foundation
import Testing
import Tokens

@Suite("What is sent to the token endpoint")
struct TokenRequestTests {
  @Test("client_secret_post sends the grant, the client, audience and scopes as a form")
  func post() {
    let request = TokenGrant.example(scopes: ["read:orders", "a b"]).request()
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
    let request = TokenGrant.example(clientID: "id:ü", authentication: .clientSecretBasic).request()
    #expect(
      request.body.text
        == "grant_type=client_credentials&audience=https%3A%2F%2Forders.example.com&scope=read%3Aorders")
    let field = try #require(request.field("Authorization"))
    #expect(field.hasPrefix("Basic "))
    let decoded = try #require(Data(base64Encoded: String(field.dropFirst(6))))
    #expect(String(decoding: decoded, as: UTF8.self) == "id%3A%C3%BC:s3cr3t%2B%2F%20%25%26")
  }

  @Test("an empty scope and a missing audience are left out")
  func leavesOutWhatIsEmpty() {
    let body = TokenGrant.example(audience: nil, scopes: []).request().body.text
    #expect(body == "grant_type=client_credentials&client_id=client-1&client_secret=s3cr3t%2B%2F%20%25%26")
    #expect(TokenGrant.example(audience: nil, scopes: [""]).request().body.text == body)
  }

  @Test("further parameters go into the form, in the order of their names")
  func furtherParameters() {
    let body = TokenGrant.example(
      audience: nil, scopes: [], parameters: ["z": "1&2", "resource": "urn:x"]
    ).request().body.text
    #expect(
      body == "grant_type=client_credentials&client_id=client-1&resource=urn%3Ax&z=1%262"
        + "&client_secret=s3cr3t%2B%2F%20%25%26")
  }

  @Test("bytes outside of ASCII, and all of them, survive the form")
  func everyByteSurvives() throws {
    let secret = String(String.UnicodeScalarView((1...0x2FF).compactMap(Unicode.Scalar.init)))
    let body = TokenGrant.example(secret: secret, audience: nil, scopes: []).request().body.text
    let encoded = try #require(body.split(separator: "client_secret=").last)
    #expect(encoded.removingPercentEncoding == secret)
  }

  @Test("a request has 10 s, or what is left of them")
  func timeout() {
    #expect(TokenGrant.example().request().timeout == .seconds(10))
    #expect(TokenGrant.example().request(timeout: .seconds(3)).timeout == .seconds(3))
  }
}
