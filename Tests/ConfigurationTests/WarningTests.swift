import Testing

@Suite("A warning")
struct WarningTests {
  @Test(
    "is given for what is allowed but deserves a second look",
    arguments: [
      Case(
        "listen: 0.0.0.0:8080",
        "5:9: listen is 0.0.0.0:8080: any client that reaches this port can use the credentials; allow or callers say who may, and 127.0.0.1 is for this machine only"
      ),
      Case(
        "listen: [8080, '[::]:0']",
        "5:16: listen[1] is [::]:0: any client that reaches this port can use the credentials; allow or callers say who may, and 127.0.0.1 is for this machine only"
      ),
      Case(
        "listen:\n- address: 0.0.0.0:8080",
        "6:12: listen[0].address is 0.0.0.0:8080: any client that reaches this port can use the credentials; allow or callers say who may, and 127.0.0.1 is for this machine only"
      ),
      Case("listen: { address: 0.0.0.0:8080, allow: [10.0.0.0/8] }"),
      Case("listen: [127.9.9.9:80, 'localhost:81', '[::1]:82']\nadmin: 0.0.0.0:9901"),
      Case(""),
    ])
  func listening(example: Case) throws {
    #expect(try warnings(faultless + example.text + "\n") == example.expected)
  }

  @Test("is given for a secret in the file, for a token sent in the clear and for credentials that no route uses")
  func others() throws {
    let text = """
      credentials:
        one: { domain: acme.kinde.com, client_id: id, client_secret: s3cr3t }
        two: { domain: acme.kinde.com, client_id: id, client_secret: { env: SECRET } }
      routes:
        - { name: a, match: a, audience: x, credentials: one, forward_to: 'http://a.example:8000' }
        - { name: b, match: b, credentials: none, forward_to: 'http://b.example' }
        - { name: c, match: c, audience: x, credentials: one, forward_to: 'http://127.1.2.3' }
      """
    #expect(
      try warnings(text) == [
        "2:64: credentials.one.client_secret is written in proxy.conf; a file or an environment variable is safer",
        "3:3: credentials.two is used by no route",
        "5:69: routes[0].forward_to is http://a.example:8000: the token travels unencrypted",
      ])
  }

  @Test(
    "is given for a value that ends at a # without a space, which may have been meant as a part of it",
    arguments: [
      (" #1", 1), ("  #x", 1), (" #", 1), (" ##x", 1), (" #1 #2", 1),
      (" # 1", 0), (" ## x", 0), (" ####", 0), ("#1", 0), (" # a #b", 0),
    ])
  func cut(rest: String, expected: Int) throws {
    for value in ["s3cr3t", "a b"] {
      let text = """
        credentials:
          one:
            domain: acme.kinde.com
            client_id: \(value)\(rest)
            client_secret: { env: SECRET }
        routes:
          - { name: a, match: a, audience: x, credentials: one }

        """
      let found = try warnings(text)
      #expect(found.count == expected)
      #expect(
        found.allSatisfy { $0.hasPrefix("4:16: credentials.one.client_id ends before \" #\", where a comment begins") })
      #expect(found.allSatisfy { !$0.contains(value) })
      #expect(try warnings(text.replacing(value + rest, with: "\"\(value)\(rest)\"")) == [])
    }
  }

  @Test("is part of the problem if nothing of the value is left", arguments: [(" #all", true), (" # all", false)])
  func commentedOut(rest: String, names: Bool) {
    let text =
      "credentials:\n  one:\n    domain: acme.kinde.com\n    client_id:\(rest)\n    client_secret: { env: SECRET }\n"
    #expect {
      try warnings(text)
    } throws: { error in
      "\(error)".contains("credentials.one.client_id must be the client id, in printable ASCII, not nothing")
        && "\(error)".contains("; # begins a comment, put the value in quotes") == names
    }
  }

  private func routeWarnings(_ routes: String...) throws -> [String] {
    let rows = routes.map { "  - { credentials: none, \($0) }" }
    return try warnings("routes:\n" + rows.joined(separator: "\n") + "\n")
  }

  @Test("is given for a match with a slash at its end, if another route takes the path without it")
  func slash() throws {
    let all = "name: all, match: h"
    let expected =
      "3:42: routes[1].match is h/x/, and /x without the slash is for the route all; write h/x to take both"
    #expect(try routeWarnings(all, "name: x, match: h/x/") == [expected])
    #expect(try routeWarnings(all, "name: x, match: h/x") == [])
    #expect(try routeWarnings(all, "name: x, match: [h/x/, h/x]") == [])
    #expect(try routeWarnings(all, "name: x, match: h/x/", "name: y, match: h/x") == [])
    #expect(try routeWarnings("name: all, match: i", "name: x, match: h/x/") == [])
    #expect(try routeWarnings("name: all, match: 'h:81'", "name: x, match: h/x/") == [])
    #expect(try routeWarnings("name: all, match: '*.h.test'", "name: x, match: a.h.test/x/") == [])
    #expect(try routeWarnings("name: all, match: [h, h/x/]") == [])
    #expect(try routeWarnings(all, "name: a, match: h/a/", "name: b, match: h/a/b/").count == 2)
  }

  @Test("is given for rules that differ by path, unless proxy.conf says whether case counts")
  func caseOfPaths() throws {
    let all = "name: all, match: h"
    let admin = "name: admin, match: h/admin, methods: GET"
    let expected =
      "3:46: routes[1].match is h/admin, whose rules are not those of the route all, and the same path in other case is "
      + "for the latter; write paths_ignore_case: true if the upstream ignores case, as Express, ASP.NET Core and IIS do, "
      + "or else false"
    #expect(try routeWarnings(all, admin) == [expected])
    #expect(try routeWarnings(all, "\(admin), paths_ignore_case: false") == [])
    #expect(try routeWarnings("\(all), paths_ignore_case: true", admin) == [])
    #expect(try routeWarnings(all, "name: admin, match: h/admin") == [])
    #expect(try routeWarnings("\(all), methods: GET", admin) == [])
    #expect(try routeWarnings("name: all, match: i", admin) == [])
    let mounts = try routeWarnings(
      "name: all, mount: /a, forward_to: 'https://h'", "name: b, mount: /a/b, forward_to: 'https://h', methods: GET"
    )
    #expect(mounts.count == 1 && mounts[0].contains("routes[1].mount is /a/b, whose rules"))
    #expect(
      try routeWarnings(
        "name: all, mount: /a, forward_to: 'https://h'", "name: b, mount: /b, forward_to: 'https://h', methods: GET"
      )
        == [])
    let top =
      "paths_ignore_case: false\nroutes:\n  - { credentials: none, \(all) }\n  - { credentials: none, \(admin) }\n"
    #expect(try warnings(top) == [])
  }
}
