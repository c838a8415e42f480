import Addresses
import Configuration
import Testing

@Suite("Rules in proxy.conf")
struct RuleTests {
  private func route(_ settings: String) -> String {
    """
    routes:
      - { name: a, match: a, credentials: none, \(settings) }

    """
  }

  @Test("are read for a listener, which is a mapping then")
  func listener() throws {
    let written = """
      listen:
        - 127.0.0.1:8081
        - address: 0.0.0.0:8082
          allow: [10.0.0.0/8, "fd00::/8", 192.168.1.7, "::ffff:172.16.0.0/108"]
        - { address: 8083 }
      """
    let listen = try configuration(faultless + written).listen
    #expect(listen.map(\.address.description) == ["127.0.0.1:8081", "0.0.0.0:8082", "127.0.0.1:8083"])
    #expect(
      listen.map { $0.allow?.map(\.description) } == [
        nil, ["10.0.0.0/8", "fd00::/8", "192.168.1.7", "172.16.0.0/12"], nil,
      ])
    let alone = try configuration(faultless + "listen: { address: 8084, allow: 127.0.0.2 }").listen
    #expect(alone.map(\.address.tcp?.port) == [8084])
    #expect(alone.first?.allow?.map(\.description) == ["127.0.0.2"])
  }

  @Test(
    "refuse browsers on loopback, also on connections to it, and allow them elsewhere, unless the listener says otherwise"
  )
  func browsers() throws {
    let written = """
      listen:
        - 8081
        - 10.0.0.1:8082
        - { address: "[::1]:8083", browser_requests: allow }
        - { address: 10.0.0.1:8084, browser_requests: refuse }
      """
    #expect(
      try configuration(faultless + written).listen.map(\.browserRequests) == [.refuse, nil, .allow, .refuse])
    #expect(
      problems(faultless + "listen: { address: 1, browser_requests: off }") == [
        #"5:41: listen.browser_requests must be allow or refuse, not "off""#
      ])
  }

  @Test("are read for a route")
  func routeRules() throws {
    let rules = try configuration(route("allow: 10.0.0.0/8, methods: [GET, PROPFIND], paths: [/v1/, /health]"))
      .routes[0].rules
    #expect(rules.allow?.map(\.description) == ["10.0.0.0/8"])
    #expect(rules.methods == ["GET", "PROPFIND"])
    #expect(rules.paths == ["/v1/", "/health"])
    #expect(try configuration(route("")).routes[0].rules == RouteRules())
  }

  @Test(
    "that are wrong are problems, each with what would be right",
    arguments: [
      ("allow: 10.0.0.1/8", "not \"10.0.0.1/8\"; that range is 10.0.0.0/8, and the address alone 10.0.0.1"),
      ("allow: 10.0.0.0/33", "a number of bits, at most 32"), ("allow: '::/129'", "or 128 with IPv6"),
      ("allow: 10.0.0.0/08", "a number of bits"), ("allow: 10.0.0.0/", "a number of bits"),
      ("allow: 10.0.0", "must be an address or a range of addresses such as 10.0.0.0/8, not \"10.0.0\""),
      ("allow: localhost", "an IP address, not a name"), ("allow: '[::1]'", "leave out the brackets"),
      ("allow: []", "not an empty list"), ("allow: [10.0.0.1, 10.0.0.1]", "which is in the list already"),
      ("methods: []", "not an empty list"), ("methods: [get]", "this one is GET"),
      ("methods: CONNECT", "the proxy never forwards it"), ("methods: TRACE", "the proxy never forwards it"),
      ("methods: 'GET,POST'", "must be a method such as GET"), ("paths: v1", "a path begins with /"),
      ("paths: [/a/../b]", "leave out . and .. segments"), ("paths: ['/a?b']", "leave out the query"),
      ("path: /a", "did you mean \"paths\"?"),
    ])
  func problemsOfRoutes(settings: String, expected: String) throws {
    let found = problems(route(settings))
    #expect(found.count == 1)
    let first = try #require(found.first)
    #expect(first.contains(expected), "\(first)")
  }

  @Test(
    "never lead to an address that no upstream has",
    arguments: [
      (
        "match: a, forward_to: 'http://169.254.169.254'",
        "routes[0].forward_to leads to 169.254.169.254, which is the metadata service of a cloud"
      ),
      (
        "match: a, forward_to: 'http://[fe80::1]'",
        "routes[0].forward_to leads to fe80::1, which is a link-local address"
      ),
      ("match: a, forward_to: 'http://0.0.0.0:80'", "leads to 0.0.0.0, which is no address of a host"),
      ("match: 169.254.1.1", "routes[0] leads to 169.254.1.1, which is a link-local address"),
      ("match: '[::ffff:169.254.169.254]'", "which is the metadata service of a cloud"),
    ])
  func destinations(settings: String, expected: String) {
    let found = problems("routes:\n  - { name: a, credentials: none, \(settings) }\n")
    #expect(found.count == 1 && found.contains { $0.contains(expected) }, "\(found)")
  }

  @Test(
    "of a listener need an address, and know nothing else",
    arguments: [
      ("{ allow: [10.0.0.0/8] }", "listen.address is missing; it must be an address such as 127.0.0.1:8080"),
      ("[{ adress: 8080 }, 8081]", "did you mean \"address\"?"),
      ("[{ address: 8080 }, 8080]", "listen[1] is 127.0.0.1:8080, which is already the address of listen[0].address"),
      ("{ address: 9901 }", "listen.address is 127.0.0.1:9901, where admin is"),
    ])
  func problemsOfListeners(setting: String, expected: String) {
    #expect(problems(faultless + "listen: \(setting)").contains { $0.contains(expected) })
  }
}
