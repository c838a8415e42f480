import Configuration
import Testing

@Suite("What happens to requests without a token") struct WithoutTokenTests {
  private func text(_ setting: String) -> String {
    """
    credentials: { k: { domain: acme.kinde.com, client_id: id, client_secret: "${SECRET}" } }
    routes: [{ name: a, match: a, audience: x\(setting) }]
    """
  }

  @Test("is that they are refused, unless the route says otherwise")
  func values() throws {
    #expect(try configuration(text("")).routes[0].withoutToken == .refuse)
    #expect(try configuration(text(", without_token: refuse")).routes[0].withoutToken == .refuse)
    #expect(try configuration(text(", without_token: forward")).routes[0].withoutToken == .forward)
  }

  @Test("has a problem that lists the valid values")
  func wrong() {
    #expect(
      problems(text(", without_token: forwards")) == [
        #"2:59: routes[0].without_token must be refuse or forward, not "forwards"; did you mean forward?"#
      ])
    #expect(
      problems("routes: [{ name: a, match: a, credentials: none, without_token: forward }]") == [
        "1:65: routes[0].without_token is for a token, but with credentials: none there is no token"
      ])
  }
}
