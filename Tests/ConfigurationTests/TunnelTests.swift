import Configuration
import Outbound
import Testing

@Suite("A route with a tunnel") struct TunnelTests {
  private func text(_ settings: String, proxy: String = "") -> String {
    """
    \(proxy)
    routes:
      - { name: a, tunnel: blind, \(settings) }

    """
  }

  /// What is wrong, without the place.
  private func complaints(_ settings: String) -> [String] {
    problems(text(settings)).map { String($0.trimmingPrefix(#/[0-9:]+ /#)) }
  }

  @Test("needs no credentials, and names hosts and ports")
  func read() throws {
    let loaded = try configuration(
      text("match: [a.example, '*.b.example:8443', '[::1]:22'], allow: 10.0.0.0/8", proxy: "timeouts: { total: 2h }"))
    let route = loaded.routes[0]
    #expect(route.tunnel == .blind && route.credentials == .noToken && route.upstream == nil && !route.allowsPrivate)
    #expect(route.matches.map(\.description) == ["a.example", "*.b.example:8443", "[::1]:22"])
    #expect(route.matches.map(\.tunnelPort) == [443, 8443, 22])
    #expect(route.rules.allow?.count == 1)
    #expect(route.timeouts.tunnel == .seconds(600) && route.timeouts.total == .seconds(7200))
    #expect(loaded.warnings.isEmpty)
  }

  @Test("has timeouts of its own")
  func timeouts() throws {
    let proxy = "timeouts: { tunnel: 5m }"
    #expect(try configuration(text("match: a.example", proxy: proxy)).routes[0].timeouts.tunnel == .seconds(300))
    let own = "match: a.example, allow_private: true, timeouts: { connect: 1s, tunnel: 2s, total: 3s }"
    let route = try configuration(text(own, proxy: proxy)).routes[0]
    #expect(route.timeouts.connect == .seconds(1) && route.timeouts.total == .seconds(3))
    #expect(route.timeouts.tunnel == .seconds(2) && route.allowsPrivate)
  }

  @Test("uses a parent proxy, its own or that of the top level")
  func parentProxy() throws {
    let proxy = "parent_proxy: http://proxy.example:3128"
    let own = "match: a.example, parent_proxy: 'http://own.example:3128'"
    for (settings, host) in [
      ("match: a.example", "proxy.example"), (own, "own.example"), ("match: a.example, parent_proxy: none", nil),
    ] {
      #expect(try configuration(text(settings, proxy: proxy)).routes[0].parentProxy?.host == host)
    }
  }

  @Test("has a problem for each setting that it cannot have, with the reason")
  func foreign() {
    let token = "is for a token, and nothing can be put into a blind tunnel"
    let requests = "is for requests, and the proxy does not read what a blind tunnel carries"
    for (setting, complaint) in [
      ("mount: /x", "mount is a path, and CONNECT names a host and a port"),
      (
        "forward_to: 'https://b'",
        "forward_to is for requests, and a blind tunnel leads to the host that CONNECT names"
      ),
      ("tls: {}", "tls is for TLS, which goes through a blind tunnel from end to end"),
      ("client_certificate: x", "client_certificate is for TLS, which goes through a blind tunnel from end to end"),
      ("resource: 'https://a'", "resource \(token)"), ("credentials: none", "credentials \(token)"),
      ("audience: x", "audience \(token)"),
      ("scopes: x", "scopes \(token)"),
      ("token: { scheme: x }", "token \(token)"), ("without_token: forward", "without_token \(token)"),
      ("replay_unauthorized: on", "replay_unauthorized \(token)"), ("methods: GET", "methods \(requests)"),
      ("paths: /x", "paths \(requests)"), ("body: 1KB", "body \(requests)"),
      ("replay_buffer: 0", "replay_buffer \(requests)"), ("throttled: {}", "throttled \(requests)"),
      ("concurrency: 1", "concurrency \(requests)"), ("timeouts: { body: 1s }", "timeouts.body \(requests)"),
      ("timeouts: { token: 1s }", "timeouts.token \(requests)"),
      ("timeouts: { first_byte: 1s }", "timeouts.first_byte \(requests)"),
      ("timeouts: { head: 1s }", #"timeouts: "head" belongs to the timeouts of the whole proxy"#),
    ] {
      #expect(complaints("match: a.example, \(setting)") == ["routes[0].\(complaint)"])
    }
  }

  @Test("has a problem for each invalid host")
  func hosts() {
    #expect(complaints("match: a.example/x") == ["routes[0].match has a path, and CONNECT names a host and a port"])
    #expect(complaints("match: a.example/").isEmpty)
    #expect(
      complaints("match: [a.example, 169.254.169.254]") == [
        "routes[0].match[1] is the metadata service of a cloud: the proxy never connects there"
      ])
    #expect(complaints("match: '*'").count == 1)
    #expect(
      complaints("allow_private: false") == [
        "routes[0].match is missing; it must be a host such as orders.internal or orders.internal:8443/api/"
      ])
  }

  @Test("is of one of two sorts")
  func mode() {
    let found = problems("routes: [{ name: a, tunnel: intercep, match: a.example, credentials: none }]")
    #expect(
      found == [#"1:29: routes[0].tunnel must be blind or intercept, not "intercep"; did you mean intercept?"#])
  }

  @Test(
    "does not share a host and a port with requests, in whatever order",
    arguments: [
      ("a.example", "a.example", false), ("a.example", "a.example/x", false), ("a.example", "a.example:443", false),
      ("a.example:443", "a.example/x", false), ("a.example:80", "a.example", false),
      ("'*.a.example'", "'*.a.example/x'", false), ("a.example:8443", "a.example:8443/x", false),
      ("a.example", "a.example:80", true), ("a.example:8443", "a.example", true),
      ("'*.a.example'", "b.a.example", true),
      ("b.a.example", "'*.a.example'", true), ("a.example:443", "a.example:80/x", true),
    ])
  func conflicts(tunnel: String, requests: String, isFine: Bool) {
    let routes = ["{ name: t, match: \(tunnel), tunnel: blind }", "{ name: r, match: \(requests), credentials: none }"]
    for order in [routes, routes.reversed()] {
      let found = problems("routes:\n  - \(order[0])\n  - \(order[1])\n")
      #expect(found.isEmpty == isFine, "\(found)")
      #expect(found.allSatisfy { $0.hasPrefix("3:") && $0.contains("routes[1].match is ") })
    }
  }
}
