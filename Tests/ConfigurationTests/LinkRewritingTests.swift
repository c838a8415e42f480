import Configuration
import Testing

@Suite("rewrite_links") struct LinkRewritingTests {
  private func text(_ setting: String) -> String {
    "routes: [{ name: a, match: a, credentials: none\(setting) }]"
  }

  @Test("is auto unless the route says otherwise")
  func values() throws {
    #expect(try configuration(text("")).routes[0].requests.linkRewriting == .auto)
    #expect(try configuration(text(", rewrite_links: auto")).routes[0].requests.linkRewriting == .auto)
    #expect(try configuration(text(", rewrite_links: on")).routes[0].requests.linkRewriting == .on)
    #expect(try configuration(text(", rewrite_links: off")).routes[0].requests.linkRewriting == .off)
  }

  @Test("has a problem that lists the valid values and places")
  func wrong() {
    #expect(
      problems(text(", rewrite_links: yes")) == [
        #"1:65: routes[0].rewrite_links must be auto, on or off, not "yes""#
      ])
    #expect(
      problems("routes: [{ name: a, match: a, tunnel: blind, rewrite_links: on }]") == [
        "1:61: routes[0].rewrite_links is for requests, and the proxy does not read what a blind tunnel carries"
      ])
  }
}
