import Configuration
import Testing

@Suite("tls_truncation") struct TLSTruncationTests {
  private func text(_ setting: String) -> String {
    "routes: [{ name: a, match: a, credentials: none\(setting) }]"
  }

  @Test("is reject unless the route says otherwise, with a warning")
  func values() throws {
    #expect(try configuration(text("")).routes[0].tlsTruncation == .reject)
    #expect(try configuration(text(", tls_truncation: reject")).routes[0].tlsTruncation == .reject)
    #expect(try configuration(text(", tls_truncation: accept")).routes[0].tlsTruncation == .accept)
    #expect(try warnings(text(", tls_truncation: reject")) == [])
    #expect(
      try warnings(text(", tls_truncation: accept")) == [
        """
        1:66: routes[0].tls_truncation is accept: a response without a length, or a WebSocket, that is cut off on the way to \
        the proxy looks complete; leave it out unless the server is an old one that ends TLS without close_notify
        """
      ])
  }

  @Test("has a problem that lists the valid values and places")
  func wrong() {
    #expect(
      problems(text(", tls_truncation: acept")) == [
        #"1:66: routes[0].tls_truncation must be reject or accept, not "acept"; did you mean accept?"#
      ])
    #expect(
      problems(text(", forward_to: 'http://127.0.0.1:1', tls_truncation: accept")) == [
        "1:100: routes[0].tls_truncation is for TLS, and the upstream is http://127.0.0.1:1"
      ])
    #expect(
      problems("routes: [{ name: a, match: a, tunnel: blind, tls_truncation: accept }]") == [
        "1:62: routes[0].tls_truncation is for TLS, which goes through a blind tunnel from end to end"
      ])
  }
}
