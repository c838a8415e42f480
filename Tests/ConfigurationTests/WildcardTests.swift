import Configuration
import Testing

@Suite("A wildcard")
struct WildcardTests {
  private func route(_ settings: String) -> String {
    """
    routes:
      - { name: a, credentials: none, \(settings) }

    """
  }

  @Test(
    "is read with its domain in the one form of hosts, a port and a path",
    arguments: [
      ("*.example.com", "*.example.com"), ("*.Example.COM.", "*.example.com"),
      ("*.example.com:8443", "*.example.com:8443"),
      ("*.api.example.com/v1/", "*.api.example.com/v1/"), ("*.example.com/", "*.example.com"),
      ("*.xn--bcher-kva.example", "*.xn--bcher-kva.example"), ("*.example.com:81/a", "*.example.com:81/a"),
      ("*.a.b/*", "*.a.b/*"),
    ])
  func read(written: String, expected: String) throws {
    let matches = try configuration(route("match: '\(written)', forward_to: 'https://a'")).routes[0].matches
    #expect(matches.map(\.description) == [expected])
    #expect(matches.map(\.isWildcard) == [true])
    #expect(matches.first?.host.contains("*") == false)
  }

  static let form = #"a wildcard is "*." and a domain, such as "*.example.com", for all hosts below it"#

  @Test(
    "that would take more than one means, or nothing, is a problem that says what to write",
    arguments: [
      ("*", form), ("*:8080", form), ("*/api", form), ("*example.com", form), ("a*.example.com", form),
      ("a.*.example.com", form), ("example.*", form), ("*.*.example.com", form), ("**.example.com", form),
      ("*.exa*mple.com", form),
      ("*.com", #""*.com" would include hosts of other owners; a domain has two labels or more"#),
      ("*.Internal.:80/x", #""*.internal" would include hosts of other owners; a domain has two labels or more"#),
      ("*.", "the host is missing"), ("*.:80", "the host is missing"),
      ("*.0.0.1", "an IPv4 address has four numbers from 0 to 255 without leading zeros"),
      ("*.127.0.0.1", "there are no hosts below an IP address"), ("*.[::1]", "there are no hosts below an IP address"),
      ("*..example.com", #"a host consists of letters, digits, "-", "_" and single dots"#),
      ("*.example.com:0", "a port is a number from 1 to 65535"),
    ])
  func refused(written: String, hint: String) {
    let host = "a host such as orders.internal or orders.internal:8443/api/"
    #expect(
      problems(route("match: '\(written)', forward_to: 'https://a'"))
        == [#"2:42: routes[0].match must be \#(host), not "\#(written)"; \#(hint)"#])
  }

  @Test("with what may be a password in it is not shown")
  func password() {
    for written in ["*:s3cr3t@example.com", "me:*s3cr3t@example.com", "*.me:s3cr3t@example.com"] {
      let found = problems(route("match: '\(written)', forward_to: 'https://a'"))
      #expect(found.count == 1 && found.allSatisfy { $0.hasSuffix("; leave out user name and password") }, "\(found)")
    }
  }

  @Test("without forward_to leads to the requested host, if there is no mount")
  func requestedHost() throws {
    for match in ["'*.a.b'", "['*.a.b', '*.c.d:8443/x', a.b, '[::1]']"] {
      let route = try configuration(route("match: \(match)")).routes[0]
      #expect(route.upstream == nil)
      #expect(route.upstreamBasePath == "")
      #expect(!route.allowsPrivate)
    }
    #expect(try configuration(route("match: '*.a.b', forward_to: 'https://c'")).routes[0].upstream?.host == "c")
    #expect(
      problems(route("match: '*.a.b', mount: /x")) == [
        "2:5: routes[0].forward_to is missing; a mount names no host; it must be a URL such as https://orders.example.com"
      ])
    #expect(
      problems(route("match: ['*.a.b', 169.254.1.1]")) == [
        "2:5: routes[0] leads to 169.254.1.1, which is a link-local address: the proxy never connects there"
      ])
  }

  @Test("needs an audience for Kinde, whatever the domain")
  func audience() {
    let text = """
      credentials: { kinde: { domain: acme.kinde.com, client_id: id, client_secret: { env: SECRET } } }
      routes: [{ name: a, match: "*.kinde.com/api/" }]
      """
    #expect(
      problems(text) == [
        "2:10: routes[0].audience is missing; it must be the identifier under which the API is registered in Kinde"
      ])
  }

  @Test("may lead to private addresses where allow_private says so")
  func allowPrivate() throws {
    for (written, expected) in [("true", true), ("false", false)] {
      let route = try configuration(route("match: '*.a.b', allow_private: \(written)")).routes[0]
      #expect(route.allowsPrivate == expected)
    }
  }

  static let saysNothing = "has no effect here: it is for wildcards without forward_to"

  @Test(
    "alone has allow_private: elsewhere it is a problem, since it would say nothing",
    arguments: [
      ("match: a, allow_private: true", "2:60: routes[0].allow_private \(saysNothing): the host was written out"),
      ("match: a, allow_private: false", "2:60: routes[0].allow_private \(saysNothing): the host was written out"),
      (
        "match: '*.a.b', forward_to: 'https://c', allow_private: true",
        "2:91: routes[0].allow_private \(saysNothing): where forward_to leads was written out"
      ),
      (
        "mount: /a, forward_to: 'https://c', allow_private: true",
        "2:86: routes[0].allow_private \(saysNothing): where forward_to leads was written out"
      ),
      ("match: '*.a.b', allow_private: on", #"2:66: routes[0].allow_private must be true or false, not "on""#),
      ("match: '*.a.b', allow_private: [true]", "2:66: routes[0].allow_private must be true or false, not a list"),
    ])
  func allowPrivateElsewhere(settings: String, expected: String) {
    #expect(problems(route(settings)) == [expected])
  }

  @Test("is allowed in match only")
  func elsewhere() {
    let found = problems(route("match: a, forward_to: 'https://*.example.com'"))
    #expect(found.count == 1)
    #expect(found.allSatisfy { $0.hasSuffix("; a wildcard is only allowed in match; write the host out") }, "\(found)")
  }
}
