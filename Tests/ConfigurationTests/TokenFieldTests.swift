import Configuration
import Testing

@Suite("Where a token goes") struct TokenFieldTests {
  private static let credentials =
    #"credentials: { k: { domain: acme.kinde.com, client_id: id, client_secret: "${SECRET}" } }"#

  private func text(_ token: String) -> String {
    "\(Self.credentials)\nroutes: [{ name: a, match: a, audience: x, token: \(token) }]"
  }

  private func field(_ token: String) throws -> TokenField {
    try configuration(text(token)).routes[0].tokenField
  }

  @Test("is Authorization: Bearer, unless the route says otherwise")
  func values() throws {
    let usual = try configuration("\(Self.credentials)\nroutes: [{ name: a, match: a, audience: x }]")
    #expect(usual.routes[0].tokenField == TokenField())
    #expect(TokenField().header == "Authorization" && TokenField().scheme == "Bearer" && TokenField().isAuthorization)
    let other = try field(#"{ header: X-Api-Token, scheme: "" }"#)
    #expect(other.header == "X-Api-Token" && other.scheme == "" && !other.isAuthorization)
    #expect(try field("{ scheme: Token }").header == "Authorization")
    #expect(try field("{ header: authorization }").isAuthorization)
  }

  @Test(
    "is no field that means something else",
    arguments: [
      "Host", "content-length", "Content_Length", "Transfer-Encoding", "Connection", "TE", "Trailer", "Via", "Expect",
      "Upgrade", "Keep-Alive", "Proxy-Authorization", "Proxy-Anything", "proxy", "Cookie", "Max-Forwards",
      "HTTP2-Settings",
    ])
  func reserved(header: String) {
    #expect(
      problems(text("{ header: \(header) }")) == [
        "2:61: routes[0].token.header must be the name of a field such as Authorization or X-Api-Token, "
          + "not \"\(header)\"; HTTP has another use for that one"
      ])
  }

  @Test("has a problem that lists the valid values")
  func wrong() {
    for header in ["'X Y'", "'X:'", "''", String(repeating: "x", count: 65), #""X\n""#] {
      #expect(problems(text("{ header: \(header) }")).first?.contains("must be the name of a field such as") == true)
    }
    for scheme in ["'a b'", "'Bearer '", #""a\r\nb""#] {
      #expect(
        problems(text("{ scheme: \(scheme) }")).first?.contains(#"must be a scheme such as Bearer, or "" for"#) == true)
    }
    #expect(
      problems("routes: [{ name: a, match: a, credentials: none, token: { scheme: x } }]") == [
        "1:57: routes[0].token is for a token, but with credentials: none there is no token"
      ])
  }
}
