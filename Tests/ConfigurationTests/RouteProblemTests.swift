import Testing

/// The problems of `routes`, a list in flow style that begins in line 4, with one set of credentials for Kinde.
private func routeProblems(_ routes: String) -> [String] {
  problems(
    """
    credentials:
      kinde: { domain: acme.kinde.com, client_id: id, client_secret: "${SECRET}" }
    routes:
      \(routes)
    """)
}

@Suite("A wrong route")
struct RouteProblemTests {
  static let name = #"a name of 1 to 64 letters, digits, ".", "_" and "-""#
  static let list = "a list of routes, each with name, and match or mount"
  static let host = "a host such as orders.internal or orders.internal:8443/api/"

  @Test(
    "is told with its place and what belongs there",
    arguments: [
      Case("", "3:8: routes must be \(list), not nothing"),
      Case("orders", "4:3: routes must be \(list), not text"),
      Case("{ name: a }", "4:3: routes must be \(list), not a mapping"),
      Case("[]", "4:3: routes must be \(list), not an empty list"),
      Case("[a]", "4:4: routes[0] must be a route, which is a mapping of settings, not text"),
      Case("[[a]]", "4:4: routes[0] must be a route, which is a mapping of settings, not a list"),
      Case("[{ match: a, audience: x }]", "4:4: routes[0].name is missing; it must be \(name)"),
      Case("[{ name: 'a b', match: a, audience: x }]", #"4:12: routes[0].name must be \#(name), not "a b""#),
      Case("[{ name: a/b, match: a, audience: x }]", #"4:12: routes[0].name must be \#(name), not "a/b""#),
      Case("[{ name: '', match: a, audience: x }]", #"4:12: routes[0].name must be \#(name), not """#),
      Case(
        "[{ name: \(String(repeating: "n", count: 65)), match: a, audience: x }]",
        #"4:12: routes[0].name must be \#(name), not "\#(String(repeating: "n", count: 64))...""#),
      Case(
        "[{ name: a, audience: x }]",
        "4:4: routes[0] needs match (a host, for http_proxy clients) or mount (a path, for base-URL clients)"),
      Case(
        "[{ name: a, match: , audience: x }]", "4:22: routes[0].match must be \(host), or a list of those, not nothing"),
      Case(
        "[{ name: a, match: [], audience: x }]",
        "4:22: routes[0].match must be \(host), or a list of those, not an empty list"),
      Case(
        "[{ name: a, match: { host: a }, audience: x }]",
        "4:22: routes[0].match must be \(host), or a list of those, not a mapping"),
      Case("[{ name: a, match: [a, [b]], audience: x }]", "4:26: routes[0].match[1] must be \(host), not a list"),
      Case(
        "[{ name: a, match: 'http://a', audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "http://a"; leave out the scheme (http://)"#),
      Case(
        "[{ name: a, match: /a, audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "/a"; for a path without a host use mount"#),
      Case(
        "[{ name: a, match: 'a:', audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "a:"; a port is a number from 1 to 65535"#),
      Case(
        "[{ name: a, match: 'a:0', audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "a:0"; a port is a number from 1 to 65535"#),
      Case(
        "[{ name: a, match: 'a:0443', audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "a:0443"; a port is a number from 1 to 65535"#),
      Case(
        "[{ name: a, match: 'a:65536', audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "a:65536"; a port is a number from 1 to 65535"#),
      Case(
        "[{ name: a, match: 'me@a', audience: x }]",
        "4:22: routes[0].match must be \(host); leave out user name and password"),
      Case(
        "[{ name: a, match: bücher.example, audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "bücher.example"; write an international name in its ASCII form, which begins with xn--"#
      ),
      Case(
        "[{ name: a, match: a%2eb, audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "a%2eb"; a host must not be percent-encoded"#),
      Case(
        "[{ name: a, match: 127.1, audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "127.1"; an IPv4 address has four numbers from 0 to 255 without leading zeros"#
      ),
      Case(
        "[{ name: a, match: 0x7f000001, audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "0x7f000001"; an IPv4 address has four numbers from 0 to 255 without leading zeros"#
      ),
      Case(
        "[{ name: a, match: '::1', audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "::1"; an IPv6 address must be in brackets, such as [::1]"#),
      Case(
        "[{ name: a, match: '[::1', audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "[::1"; the brackets must hold an IPv6 address such as [::1]"#),
      Case(
        "[{ name: a, match: '[::1]x', audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "[::1]x"; a port is a number from 1 to 65535"#),
      Case(
        "[{ name: a, match: a..b, audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "a..b"; a host consists of letters, digits, "-", "_" and single dots"#
      ),
      Case(
        "[{ name: a, match: a/b?c, audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "a/b?c"; leave out the query (?)"#),
      Case(
        "[{ name: a, match: 'a?c', audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "a?c"; leave out the query (?)"#),
      Case(
        "[{ name: a, match: 'a#c', audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "a#c"; leave out the fragment (#)"#),
      Case(
        "[{ name: a, match: a/../b, audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "a/../b"; leave out . and .. segments"#),
      Case(
        "[{ name: a, match: a/%2E%2e/b, audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "a/%2E%2e/b"; leave out . and .. segments"#),
      Case(
        "[{ name: a, match: a/., audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "a/."; leave out . and .. segments"#),
      Case(
        "[{ name: a, match: a//b, audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "a//b"; leave out the double slash"#),
      Case(
        "[{ name: a, match: a/b;v=1/c, audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "a/b;v=1/c"; leave out ; and what follows it, which many servers take for parameters and no part of the path"#
      ),
      Case(
        "[{ name: a, match: a/b./c, audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "a/b./c"; leave out the dots and spaces at the edge of "b.", as some servers do"#
      ),
      Case(
        "[{ name: a, match: a/%20b, audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "a/%20b"; leave out the dots and spaces at the edge of "%20b", as some servers do"#
      ),
      Case(
        "[{ name: a, match: a/%61dmin, audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "a/%61dmin"; write a instead of %61, which means the same"#),
      Case(
        "[{ name: a, match: a/%zz, audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "a/%zz"; a % must be followed by two hexadecimal digits"#),
      Case(
        "[{ name: a, match: 'a/b c', audience: x }]",
        #"4:22: routes[0].match must be \#(host), not "a/b c"; percent-encode what is not a letter, a digit or one of -._~!$&'()*+,;=:@/"#
      ),
      Case(
        "[{ name: a, match: a, mount: b, audience: x }]",
        #"4:32: routes[0].mount must be a path such as /orders, not "b"; a path begins with /"#),
      Case(
        "[{ name: a, match: a, mount: '', audience: x }]",
        #"4:32: routes[0].mount must be a path such as /orders, not ""; a path begins with /"#),
      Case(
        "[{ name: a, match: a, mount: //, audience: x }]",
        #"4:32: routes[0].mount must be a path such as /orders, not "//"; leave out the double slash"#),
      Case(
        "[{ name: a, match: a, mount: /b//c, audience: x }]",
        #"4:32: routes[0].mount must be a path such as /orders, not "/b//c"; leave out the double slash"#),
      Case(
        "[{ name: a, match: a, mount: /../c, audience: x }]",
        #"4:32: routes[0].mount must be a path such as /orders, not "/../c"; leave out . and .. segments"#),
      Case(
        "[{ name: a, match: a, mount: [/b], audience: x }]",
        "4:32: routes[0].mount must be a path such as /orders, not a list"),
      Case(
        "[{ name: a, mount: /a, audience: x }]",
        "4:4: routes[0].forward_to is missing; a mount names no host; it must be a URL such as https://orders.example.com"
      ),
      Case(
        "[{ name: a, match: [a, b], audience: x }]",
        "4:4: routes[0].forward_to is missing; match names several hosts or ports; it must be a URL such as https://orders.example.com"
      ),
      Case(
        "[{ name: a, match: ['a:1', 'a:2'], audience: x }]",
        "4:4: routes[0].forward_to is missing; match names several hosts or ports; it must be a URL such as https://orders.example.com"
      ),
      Case(
        "[{ name: a, match: a, forward_to: b.example, audience: x }]",
        #"4:37: routes[0].forward_to must be a URL such as https://orders.example.com, not "b.example"; it begins with https://"#
      ),
      Case(
        "[{ name: a, match: a, forward_to: 'ws://b', audience: x }]",
        #"4:37: routes[0].forward_to must be a URL such as https://orders.example.com, not "ws://b"; only http and https can be used"#
      ),
      Case(
        "[{ name: a, match: a, forward_to: 'https://b/?c', audience: x }]",
        #"4:37: routes[0].forward_to must be a URL such as https://orders.example.com, not "https://b/?c"; leave out the query (?)"#
      ),
      Case(
        "[{ name: a, match: a, forward_to: 'https://b/#c', audience: x }]",
        #"4:37: routes[0].forward_to must be a URL such as https://orders.example.com, not "https://b/#c"; leave out the fragment (#)"#
      ),
      Case(
        "[{ name: a, match: a, forward_to: 'https://b/a/../c', audience: x }]",
        #"4:37: routes[0].forward_to must be a URL such as https://orders.example.com, not "https://b/a/../c"; leave out . and .. segments"#
      ),
      Case(
        "[{ name: a, match: a, forward_to: 'https://b//', audience: x }]",
        #"4:37: routes[0].forward_to must be a URL such as https://orders.example.com, not "https://b//"; leave out the double slash"#
      ),
      Case(
        "[{ name: a, match: a, forward_to: 'https://me:s3cr3t@b', audience: x }]",
        "4:37: routes[0].forward_to must be a URL such as https://orders.example.com; leave out user name and password"),
      Case(
        "[{ name: a, match: a, audience: x, credentials: kinde-eu }]",
        #"4:51: routes[0].credentials names "kinde-eu", which is not defined; defined: kinde"#),
      Case(
        "[{ name: a, match: a, audience: x, credentials: '' }]",
        #"4:51: routes[0].credentials must be \#(name), not """#),
      Case(
        "[{ name: a, match: a, audience: x, credentials: off }]",
        #"4:51: routes[0].credentials names "off", which is not defined; defined: kinde"#),
      Case(
        "[{ name: a, match: a, audience: x, credentials: [kinde] }]",
        "4:51: routes[0].credentials must be \(name), not a list"),
      Case(
        "[{ name: a, match: a, credentials: none, audience: x, scopes: y }]",
        "4:54: routes[0].audience is for a token, but with credentials: none there is no token",
        "4:65: routes[0].scopes is for a token, but with credentials: none there is no token"),
      Case(
        "[{ name: a, match: a, audience: x, scopes: }]",
        "4:46: routes[0].scopes must be scopes such as read:orders, in a list or with spaces between, not nothing"),
      Case(
        "[{ name: a, match: a, audience: x, scopes: { a: b } }]",
        "4:46: routes[0].scopes must be scopes such as read:orders, in a list or with spaces between, not a mapping"),
      Case(
        "[{ name: a, match: a, audience: x, scopes: 'a ä' }]",
        #"4:46: routes[0].scopes must be scopes such as read:orders, in a list or with spaces between, not "a ä""#),
      Case(
        "[{ name: a, match: a, audience: x, scopes: a b a }]",
        #"4:46: routes[0].scopes must be scopes such as read:orders, in a list or with spaces between, not "a b a"; "a" is there twice"#
      ),
      Case(
        "[{ name: a, match: a, audience: x, scopes: [a, b, a] }]",
        #"4:53: routes[0].scopes[2] is "a", which is in the list already"#),
      Case(
        "[{ name: a, match: a, audience: x, scopes: [a b] }]",
        #"4:47: routes[0].scopes[0] must be a scope such as read:orders, not "a b"; in a list each scope is an item of its own"#
      ),
      Case(
        "[{ name: a, match: a, audience: x, scopes: ['', ä] }]",
        #"4:47: routes[0].scopes[0] must be a scope such as read:orders, not """#,
        #"4:51: routes[0].scopes[1] must be a scope such as read:orders, not "ä""#),
      Case(
        "[{ name: a, match: a, audience: x, timeouts: 5m }]",
        "4:48: routes[0].timeouts must be a mapping of settings, not text"),
      Case(
        "[{ name: a, match: a, audience: x, timeouts: { first_byte: 5 } }]",
        #"4:62: routes[0].timeouts.first_byte must be a duration such as 500ms or 10s, not "5"; add the unit: ms, s, m or h"#
      ),
      Case(
        "[{ name: a, match: a, audience: x, timeouts: { drain: 5s, idle: 5s } }]",
        #"4:50: routes[0].timeouts: "drain" belongs to the timeouts of the whole proxy"#,
        #"4:61: routes[0].timeouts: "idle" belongs to the timeouts of the whole proxy"#),
      Case(
        "[{ name: a, match: a, audience: x, timeouts: { fist_byte: 5s } }]",
        #"4:50: routes[0].timeouts: unknown setting "fist_byte"; did you mean "first_byte"?"#),
      Case(
        "[{ name: a, match: a, audience: x, scope: a }]",
        #"4:38: routes[0]: unknown setting "scope"; did you mean "scopes"?"#),
      Case(
        "[{ name: a, match: a, audience: x, forward-to: a }]",
        #"4:38: routes[0]: unknown setting "forward-to"; did you mean "forward_to"?"#),
      Case(
        "[{ name: a, match: a, audience: x, host: a }]",
        #"4:38: routes[0]: unknown setting "host"; known: name, match, mount, tunnel, forward_to, allow_private, credentials, audience, resource, scopes, token, token_endpoint, without_token, replay_unauthorized, "#
          + "allow, callers, methods, paths, paths_ignore_case, body, replay_buffer, throttled, client_share, concurrency, upgrade, rewrite_links, interim, via, request_id, timeouts, upstream, access_log, client_certificate, tls, tls_truncation, parent_proxy"
      ),
      Case(
        "[{ name: a, match: a, match: b, audience: x }]",
        #"4:25: routes[0]: "match" is set twice; the first is in line 4"#),
      Case(
        "[{ name: ' ', match: '/', mount: x, forward_to: y, credentials: z, audience: '', scopes: [ä], timeouts: [] }]",
        #"4:12: routes[0].name must be \#(name), not " ""#,
        #"4:24: routes[0].match must be \#(host), not "/"; for a path without a host use mount"#,
        #"4:36: routes[0].mount must be a path such as /orders, not "x"; a path begins with /"#,
        #"4:51: routes[0].forward_to must be a URL such as https://orders.example.com, not "y""#,
        #"4:67: routes[0].credentials names "z", which is not defined; defined: kinde"#,
        #"4:80: routes[0].audience must be an audience such as https://orders.example.com, not """#,
        #"4:93: routes[0].scopes[0] must be a scope such as read:orders, not "ä""#,
        "4:107: routes[0].timeouts must be a mapping of settings, not a list"),
    ])
  func told(example: Case) {
    #expect(routeProblems(example.text) == example.expected)
  }

  @Test(
    "is told when it takes what another one has",
    arguments: [
      Case(
        "[{ name: a, match: a, audience: x }, { name: a, match: b, audience: x }]",
        #"4:48: routes[1].name is "a", which is taken by routes[0].name"#),
      Case(
        "[{ name: a, match: A., audience: x }, { name: b, match: a, audience: x }]",
        "4:59: routes[1].match is a, which is taken by routes[0].match"),
      Case(
        "[{ name: a, match: a/, audience: x }, { name: b, match: [b, a], forward_to: 'https://a', audience: x }]",
        "4:63: routes[1].match[1] is a, which is taken by routes[0].match"),
      Case(
        "[{ name: a, match: [a, a], audience: x }]",
        "4:26: routes[0].match[1] is a, which is taken by routes[0].match[0]"),
      Case(
        "[{ name: a, match: '[::1]:80/b', audience: x }, { name: b, match: '[0:0::1]:80/b', audience: x }]",
        "4:69: routes[1].match is [::1]:80/b, which is taken by routes[0].match"),
      Case(
        "[{ name: a, match: '*.A.b.', forward_to: 'https://a', audience: x }, { name: b, match: ['*.a.b/x', '*.a.b/'], forward_to: 'https://a', audience: x }]",
        "4:102: routes[1].match[1] is *.a.b, which is taken by routes[0].match"),
      Case(
        "[{ name: a, match: [a.b, '*.a.b', '*.a.b:80', '*.a.b/x'], forward_to: 'https://a', audience: x }]"),
      Case(
        "[{ name: a, mount: /a/, forward_to: 'https://a', audience: x }, { name: b, mount: /a, forward_to: 'https://a', audience: x }]",
        "4:85: routes[1].mount is /a, which is taken by routes[0].mount"),
      Case(
        "[{ name: a, mount: /, forward_to: 'https://a', audience: x }, { name: b, mount: /, forward_to: 'https://a', audience: x }]",
        "4:83: routes[1].mount is /, which is taken by routes[0].mount"),
    ])
  func taken(example: Case) {
    #expect(routeProblems(example.text) == example.expected)
  }

  @Test("has a problem that lists the credentials, if it must name one")
  func credentials() {
    let two = "{ token_endpoint: 'https://a/t', client_id: id, client_secret: { env: SECRET } }"
    let route = "{ name: a, match: a }"
    #expect(
      problems("credentials:\n  one: \(two)\n  two: \(two)\nroutes:\n  - \(route)\n")
        == ["5:5: routes[0].credentials is missing; defined: one, two; \"credentials: none\" forwards without a token"])
    #expect(
      problems("routes:\n  - \(route)\n")
        == [
          "2:5: routes[0].credentials is missing; no credentials are defined; \"credentials: none\" forwards without a token"
        ])
    #expect(
      problems("routes:\n  - { name: a, match: a, credentials: one }\n")
        == ["2:39: routes[0].credentials names \"one\", which is not defined; defined: nothing"])
  }

  @Test("is not blamed for credentials that are defined, but wrong")
  func brokenCredentials() {
    let text = """
      credentials:
        kinde: { domain: acme.kinde.com, client_id: id, client_secret: [] }
      routes:
        - { name: a, match: a }
        - { name: b, match: b, credentials: kinde }
      """
    #expect(
      problems(text)
        == [
          "2:66: credentials.kinde.client_secret must be { file: PATH }, { env: NAME }, { exec: [PROGRAM] } or ${NAME}, not a list"
        ])
    #expect(
      problems(text.replacing("client_secret: []", with: "client_secret: { env: SECRET }, audience: []"))
        == ["2:93: credentials.kinde.audience must be an audience such as https://orders.example.com, not a list"])
  }

  static let lacks =
    "routes[0].audience is missing; it must be the identifier under which the API is registered in Kinde"

  @Test(
    "is told which audience Kinde needs",
    arguments: [
      Case("[{ name: a, match: orders.internal }]", "4:4: \(lacks)"),
      Case("[{ name: a, match: other.kinde.com/api/ }]", "4:4: \(lacks)"),
      Case(
        "[{ name: a, match: acme.kinde.com }]",
        "4:4: \(lacks); that of Kinde's management API is https://acme.kinde.com/api"),
      Case(
        "[{ name: a, match: acme.kinde.com/apis }]",
        "4:4: \(lacks); that of Kinde's management API is https://acme.kinde.com/api"),
      Case(
        "[{ name: a, match: [acme.kinde.com/api, acme.kinde.com/x] }]",
        "4:4: \(lacks); that of Kinde's management API is https://acme.kinde.com/api"),
      Case(
        "[{ name: a, match: acme.kinde.com/api, mount: /a }]",
        "4:4: \(lacks); that of Kinde's management API is https://acme.kinde.com/api"),
      Case(
        "[{ name: a, mount: /api, forward_to: 'https://acme.kinde.com' }]",
        "4:4: \(lacks); that of Kinde's management API is https://acme.kinde.com/api"),
      Case(
        "[{ name: a, match: 'acme.kinde.com:8443/api' }]",
        "4:4: \(lacks); that of Kinde's management API is https://acme.kinde.com/api"),
    ])
  func audience(example: Case) {
    #expect(routeProblems(example.text) == example.expected)
  }

  @Test("has a problem if a custom domain is used as the audience of Kinde's management API")
  func customDomain() {
    let text = """
      credentials: { kinde: { domain: auth.acme.com, client_id: id, client_secret: { env: SECRET } } }
      routes: [{ name: a, match: auth.acme.com/api }]
      """
    #expect(
      problems(text)
        == ["2:10: \(Self.lacks); that of Kinde's management API is https://SUBDOMAIN.kinde.com/api"])
  }
}
