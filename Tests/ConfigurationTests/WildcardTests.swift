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
      ("*.com", #""*.com" would take hosts of strangers too; a domain has two labels or more"#),
      ("*.Internal.:80/x", #""*.internal" would take hosts of strangers too; a domain has two labels or more"#),
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

  @Test("stands in match only")
  func elsewhere() {
    let found = problems(route("match: a, forward_to: 'https://*.example.com'"))
    #expect(found.count == 1)
    #expect(found.allSatisfy { $0.hasSuffix("; a wildcard can only stand in match; write the host out") }, "\(found)")
  }
}
