import Configuration
import Testing

@Suite("token_endpoint of a route") struct LocalTokenEndpointTests {
  private func text(_ setting: String, more: String = "") -> String {
    """
    credentials: { k: { domain: acme.kinde.com, client_id: id, client_secret: "${SECRET}" } }
    routes: [{ name: a, match: a, audience: x\(setting) }\(more)]
    """
  }

  private func endpoints(_ setting: String) throws -> [String] {
    try configuration(text(setting)).routes[0].tokenEndpoints.map(\.description)
  }

  @Test("is a path, or host and path, or a list of those")
  func values() throws {
    #expect(try endpoints("") == [])
    #expect(try endpoints(", token_endpoint: /a/oauth2/token") == ["/a/oauth2/token"])
    #expect(try endpoints(", token_endpoint: Acme.Kinde.com./oauth2/token") == ["acme.kinde.com/oauth2/token"])
    #expect(
      try endpoints(", token_endpoint: [/token, /token/, 'acme.kinde.com:8080/t', '[::1]/t']") == [
        "/token", "/token/", "acme.kinde.com:8080/t", "[::1]/t",
      ])
    #expect(
      try configuration(text(", token_endpoint: b/t", more: ", { name: b, match: b/t, audience: x }")).routes.count == 2
    )
  }

  @Test(
    "is told what it must be",
    arguments: [
      ("https://acme.kinde.com/t", "leave out the scheme; the URL of the authorization server belongs to credentials"),
      ("acme.kinde.com", "the path is missing"), ("acme.kinde.com/", "the path is missing"),
      ("/t?x", "leave out the query (?)"), ("/a/../t", "leave out . and .. segments"),
      ("'*.kinde.com/t'", "a wildcard is only allowed in match; write the host out"),
    ])
  func wrong(value: String, hint: String) {
    let shown = value.replacing("'", with: "")
    #expect(
      problems(text(", token_endpoint: \(value)")) == [
        "2:60: routes[0].token_endpoint must be a path such as /orders/oauth2/token, or host and path such as "
          + "acme.kinde.com/oauth2/token, not \"\(shown)\"; \(hint)"
      ])
  }

  @Test("is not an empty list")
  func empty() {
    #expect(problems(text(", token_endpoint: []")).count == 1)
  }

  @Test(
    "is one route's alone",
    arguments: [
      ("/t", "/t"), ("b/t", "b/t"), ("b/t", "B:80/t"), ("b:443/t", "b/t"), ("b:8080/t", "b:8080/t"),
    ])
  func claimed(first: String, second: String) {
    let more = ", { name: b, match: c, audience: x, token_endpoint: '\(second)' }"
    let found = problems(text(", token_endpoint: '\(first)'", more: more))
    #expect(found.count == 1)
    #expect(
      found[0].contains(
        "routes[1].token_endpoint is \(second.lowercased()), which is taken by routes[0].token_endpoint"))
    #expect(problems(text(", token_endpoint: ['\(first)', '\(second)']")).count == 1)
  }

  @Test("of several ports are several", arguments: [("b:80/t", "b:443/t"), ("b/t", "b:8080/t"), ("b/t", "/t")])
  func apart(first: String, second: String) throws {
    #expect(try endpoints(", token_endpoint: ['\(first)', '\(second)']").count == 2)
  }

  @Test("is for routes that put a token into Authorization")
  func withoutToken() {
    #expect(
      problems("routes: [{ name: a, match: a, credentials: none, token_endpoint: /t }]") == [
        "1:66: routes[0].token_endpoint is for a token, but with credentials: none there is no token"
      ])
    #expect(
      problems(text(", token: { header: X-Token }, token_endpoint: /t")) == [
        "2:88: routes[0].token_endpoint issues placeholders, but with the token in X-Token the application's "
          + "Authorization goes on as it is"
      ])
    #expect(
      problems("routes: [{ name: a, match: a, tunnel: blind, token_endpoint: /t }]") == [
        "1:62: routes[0].token_endpoint is for a token, and nothing can be put into a blind tunnel"
      ])
  }

  @Test("of a route that intercepts is intercepted as well, and never a blind tunnel")
  func intercepted() throws {
    func text(_ tunnel: String) -> String {
      """
      interception: {}
      credentials: { k: { domain: acme.kinde.com, client_id: id, client_secret: "${SECRET}" } }
      routes: [{ name: a, match: a, tunnel: intercept, audience: x, token_endpoint: [/t, b/t] }\(tunnel)]
      """
    }
    let route = try configuration(text("")).routes[0]
    #expect(route.interceptedMatches.map(\.description) == ["a", "b/t"])
    #expect(try configuration(text(", { name: c, match: 'b:444', tunnel: blind }")).routes.count == 2)
    let found = problems(text(", { name: c, match: b, tunnel: blind }"))
    #expect(found.count == 1)
    #expect(found[0].contains("routes[1].match is b, and routes[0].token_endpoint[1] is for the same host and port"))
    #expect(try configuration(self.text(", token_endpoint: b/t")).routes[0].interceptedMatches == [])
  }
}
