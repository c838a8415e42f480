import Configuration
import Testing

@testable import Routing

@Suite struct RouteTableTests {
  private func route(
    _ name: String, _ matches: [Match] = [], mount: String? = nil, basePath: String = ""
  ) -> Route {
    Route(
      name: name, matches: matches, mount: mount, upstream: Origin(scheme: .https, host: "upstream.test"),
      upstreamBasePath: basePath)
  }

  /// The route's name and what is taken off the path, "leaves" and the route's name, or nil.
  private func show(_ finding: RouteTable.Finding, in table: RouteTable) -> String? {
    switch finding {
    case .route(let route, let length): length > 0 ? "\(table.names[route]) -\(length)" : table.names[route]
    case .leaves(let route): "leaves \(table.names[route])"
    case .ambiguous(let route, let conflict): "\(table.names[route]), but \(conflict.text)"
    case .nothing: nil
    }
  }

  private func find(_ table: RouteTable, _ host: String, _ path: String, port: UInt16 = 80) -> String? {
    let (host, path) = (Array(host.utf8), Array(path.utf8))
    return show(table.route(host: host.span, port: port, path: path.span), in: table)
  }

  private func find(_ table: RouteTable, mountedAt path: String) -> String? {
    let path = Array(path.utf8)
    return show(table.route(mountedAt: path.span), in: table)
  }

  @Test("a host matches in any case and with the dot of an absolute name, and nothing else does")
  func hosts() {
    let table = RouteTable([route("a", [Match(host: "api.test")]), route("six", [Match(host: "::1")])])
    for host in ["api.test", "API.Test", "api.test."] { #expect(find(table, host, "/") == "a") }
    for host in ["api.tes", "api.test.x", "xapi.test", "api.test..", "", "api_test", "api\u{4e}test"] {
      #expect(find(table, host, "/") == nil)
    }
    #expect(find(table, "::1", "/") == "six")
  }

  @Test("the longest path wins, whatever the order in the file")
  func longest() {
    let routes = [
      route("all", [Match(host: "api.test")]), route("v1", [Match(host: "api.test", path: "/v1")]),
      route("orders", [Match(host: "api.test", path: "/v1/orders/")]),
    ]
    for order in [routes, routes.reversed(), [routes[1], routes[2], routes[0]]] {
      let table = RouteTable(order)
      #expect(find(table, "api.test", "/v1/orders/7") == "orders")
      #expect(find(table, "api.test", "/v1/orders") == "v1")
      #expect(find(table, "api.test", "/v1") == "v1")
      #expect(find(table, "api.test", "/v10") == "all")
      #expect(find(table, "api.test", "/") == "all")
    }
  }

  @Test("a match without a port is for the ports of http and https, one with a port for that alone")
  func ports() {
    let table = RouteTable([
      route("any", [Match(host: "api.test")]), route("special", [Match(host: "api.test", port: 8443)]),
      route("plain", [Match(host: "api.test", port: 80)]),
    ])
    #expect(find(table, "api.test", "/", port: 443) == "any")
    #expect(find(table, "api.test", "/", port: 80) == "plain")
    #expect(find(table, "api.test", "/", port: 8443) == "special")
    #expect(find(table, "api.test", "/", port: 8080) == nil)
  }

  @Test("a mount is taken off the path at a segment's end, and the longest wins")
  func mounts() {
    let table = RouteTable([
      route("orders", mount: "/orders"), route("archive", mount: "/orders/archive"), route("hosts", [Match(host: "h")]),
    ])
    #expect(find(table, mountedAt: "/orders") == "orders -7")
    #expect(find(table, mountedAt: "/orders/1") == "orders -7")
    #expect(find(table, mountedAt: "/orders/archive/1") == "archive -15")
    #expect(find(table, mountedAt: "/orders/archives") == "orders -7")
    #expect(find(table, mountedAt: "/ordersx") == nil)
    #expect(find(table, mountedAt: "/Orders") == nil)
    #expect(find(table, mountedAt: "/") == nil)
  }

  @Test("a mount at the root takes every path that no other mount does, and the asterisk")
  func rootMount() {
    let table = RouteTable([route("root", mount: ""), route("orders", mount: "/orders")])
    #expect(find(table, mountedAt: "/orders/1") == "orders -7")
    for path in ["/", "/x", "*"] { #expect(find(table, mountedAt: path) == "root") }
  }

  /// Paths that leave `/api` for every server that removes dot segments, and those that leave it for some.
  static let escapes: [(path: String, isAmbiguous: Bool)] =
    [
      "/api/../admin", "/api/..", "/api/x/../../admin", "/api/./../admin", "/api/%2e%2e/admin", "/api/%2E%2e/admin",
      "/api/.%2e/admin", "/api/a/b/../../..", "/api/x%2fy/../../admin",
    ].map { ($0, false) }
    + [
      "/api//../admin", "/api/..%2fadmin", "/api/..%5cadmin", "/api/%5c..%5cadmin", "/api/..;x=y/admin",
      "/api/..;/admin", "/api/x/..;a/..;b/admin", "/api/%2e%2e;/admin", "/api/x%2f..%2f..%2fadmin", "/api/%2f../admin",
      "/api/;/../admin", "/api/%252e%252e/admin", "/api/%25252E.%2525252fadmin", "/api/%c0%ae%c0%ae/admin",
      "/api/..%C0%AFadmin", "/api/..%c1%9Cadmin", "/api/%25c0%25ae./admin", "/api/..%253bx/admin", "/api/.../x",
      "/api/..%20/x", "/api/%c1../x",
    ].map { ($0, true) }

  @Test("dot segments that lead out of a route are refused, however they are written", arguments: escapes)
  func escapeIsRefused(_ escape: (path: String, isAmbiguous: Bool)) {
    let path = escape.path
    let table = RouteTable([
      route("api", [Match(host: "h", path: "/api")], mount: "/api"), route("slash", [Match(host: "s", path: "/api/")]),
      route("based", [Match(host: "b")], basePath: "/base"), route("other", [Match(host: "h"), Match(host: "s")]),
    ])
    func expect(_ found: String?, _ route: String) {
      if escape.isAmbiguous {
        #expect(found?.hasPrefix("\(route), but some servers read it as /") == true, "\(path): \(found ?? "nothing")")
      } else {
        #expect(found == "leaves \(route)", "\(path)")
      }
    }
    expect(find(table, "h", path), "api")
    expect(find(table, "s", path), "slash")
    expect(find(table, mountedAt: path), "api")
    // Under a base path the whole path counts.
    expect(find(table, "b", String(path.dropFirst(4))), "based")
  }

  static let insides: [String] = [
    "/api/x/../y", "/api/..x/y", "/api/x..", "/api/.x", "/api/./x", "/api//x", "/api/%2e/x",
    "/api/a/b/../..",
    "/api/x;..", "/api/%", "/api/%2", "/api/%zz", "/api/%25", "/api/%2525", "/api/x%252fy", "/api/%c0", "/api/%c0%",
    "/api/%c0%ae/x", "/api/%c3%a4/..", "/api/%252e%2",
  ]

  @Test("paths that stay inside pass, dots or not", arguments: insides)
  func insideIsServed(_ path: String) {
    let table = RouteTable([route("api", [Match(host: "h", path: "/api")], mount: "/api")])
    #expect(find(table, "h", path) == "api")
    #expect(find(table, mountedAt: path) == "api -4")
  }

  @Test("a route that takes everything and adds nothing cannot be left")
  func nothingAbove() {
    #expect(find(RouteTable([route("all", [Match(host: "h")])]), "h", "/../x") == "all")
  }

  @Test("a path that servers may read as one of another route is for neither")
  func otherRoutes() {
    let table = RouteTable([
      route("all", [Match(host: "h"), Match(host: "p", port: 81)], mount: ""),
      route("admin", [Match(host: "h", path: "/admin"), Match(host: "p", port: 82, path: "/admin")], mount: "/admin"),
    ])
    for path in ["/%61dmin", "//admin", "/./admin", "/x/../admin", "/%2e/admin", "/%2fadmin", "/admin;x", "/admin%23"] {
      let expected = "all, but some servers read it as /admin, which is for the route admin"
      #expect(find(table, "h", path) == expected, "\(path)")
      #expect(find(table, mountedAt: path) == expected, "\(path)")
      // On that port there is one route.
      #expect(find(table, "p", path, port: 81) == "all")
    }
    for path in ["/a%2Fb", "/caf%C3%A9;v=1", "/a..b", "/x/../y", "/a%20b", "/admin%2Dx"] {
      #expect(find(table, "h", path) == "all")
      #expect(find(table, mountedAt: path) == "all")
    }
    #expect(find(table, "h", "/admin/%61") == "admin")
  }

  @Test("where the upstream ignores case, so do the routes")
  func ignoredCase() {
    var all = route("all", [Match(host: "h")])
    let admin = route("admin", [Match(host: "h", path: "/Admin")])
    #expect(find(RouteTable([all, admin]), "h", "/ADMIN") == "all")
    all.ignoresPathCase = true
    let table = RouteTable([all, admin])
    #expect(find(table, "h", "/ADMIN/x") == "all, but some servers read it as /ADMIN/x, which is for the route admin")
    #expect(find(table, "h", "/Admin/x") == "admin")
    #expect(find(table, "h", "/x/ADMIN") == "all")
  }

  @Test("one route whose upstream ignores case is enough for all of the host, and one mount for all mounts")
  func ignoredCaseOfOthers() {
    let all = route("all", [Match(host: "h"), Match(host: "i")], mount: "")
    var admin = route("admin", [Match(host: "h", path: "/admin")], mount: "/admin")
    let other = route("other", [Match(host: "i", path: "/admin")])
    admin.ignoresPathCase = true
    let table = RouteTable([all, admin, other])
    let expected = "all, but some servers read it as /ADMIN/x, which is for the route admin"
    #expect(find(table, "h", "/ADMIN/x") == expected)
    #expect(find(table, mountedAt: "/ADMIN/x") == expected)
    #expect(find(table, "i", "/ADMIN/x") == "all")
  }

  @Test("routes that serve only some paths have a path in their match, share a host and port, or are nested mounts")
  func chosenByPath() {
    let routes = [
      route("0", [Match(host: "h")]), route("1", [Match(host: "h", path: "/a")]),
      route("2", [Match(host: "h", port: 81)]),
      route("3", [Match(host: "i")], mount: "/m"), route("4", mount: "/m/n"), route("5", mount: "/mn"),
      route("6", [Match(host: "h", isWildcard: true)]), route("7", [Match(host: "j")]),
      route("8", [Match(host: "k", path: "/x/")]), route("9", [Match(host: "l", path: "/x", isWildcard: true)]),
      route("10", [Match(host: "m"), Match(host: "n", port: 81, path: "/x")]),
    ]
    #expect(RouteTable.chosenByPath(routes) == [0, 1, 3, 4, 8, 9, 10])
    #expect(
      RouteTable.chosenByPath([route("0", mount: ""), route("1", mount: "/a"), route("2", mount: "/b")]) == [0, 1, 2])
  }

  @Test("the name most similar to the requested one is suggested, if any is similar")
  func nearest() {
    let table = RouteTable([
      route("a", [Match(host: "orders.internal"), Match(host: "acme.kinde.com", port: 8443)]), route("b", mount: "/b"),
    ])
    #expect(nearest(table, "order.internal") == "orders.internal")
    #expect(nearest(table, "ORDERS.INTERNAL") == "orders.internal")
    #expect(nearest(table, "acme.kinde.com") == "acme.kinde.com:8443")
    #expect(nearest(table, "www.example.org") == nil)
    #expect(nearest(RouteTable([]), "x") == nil)
    let wildcard = RouteTable([route("c", [Match(host: "example.com", port: 81, isWildcard: true)])])
    for host in ["example.com", "a.example.co", "shop.exmple.com"] {
      #expect(nearest(wildcard, host) == "*.example.com:81")
    }
  }

  private func nearest(_ table: RouteTable, _ host: String) -> String? {
    let bytes = Array(host.utf8)
    return table.nearest(to: bytes.span)
  }

  @Test("a name that is longer than a name gets no suggestion, and of many hosts the first ones are compared")
  func bounds() {
    let long = String(repeating: "a", count: RouteTable.longestCompared)
    let table = RouteTable([route("a", [Match(host: long)])])
    #expect(nearest(table, String(long.dropLast()) + "b") == long)
    #expect(nearest(table, long + "a") == nil)
    let many = RouteTable(
      (0...RouteTable.mostCompared).map { route("\($0)", [Match(host: "host-number-\($0).internal")]) })
    #expect(
      nearest(many, "host-numbr-\(RouteTable.mostCompared - 1).internal")
        == "host-number-\(RouteTable.mostCompared - 1).internal")
    #expect(
      nearest(many, "host-numbr-\(RouteTable.mostCompared).internal")
        != "host-number-\(RouteTable.mostCompared).internal")
  }

  @Test("the suggestion is the nearest name of the whole table of distances")
  func distances() {
    var state: UInt64 = 7
    func random(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    func name() -> String { String((0..<1 + random(12)).map { _ in ["a", "b", "c", "."][random(4)] as Character }) }
    for _ in 0..<300 {
      let hosts = (0..<1 + random(5)).map { _ in name() }
      let wanted = name()
      let table = RouteTable(hosts.enumerated().map { route("\($0)", [Match(host: $1)]) })
      let distances = hosts.map { distance(Array(wanted.utf8), Array($0.utf8)) }
      let least = distances.min() ?? 0
      let expected = least <= max(2, wanted.utf8.count / 3) ? hosts[distances.firstIndex(of: least) ?? 0] : nil
      #expect(nearest(table, wanted) == expected, "\(wanted) of \(hosts)")
    }
  }

  /// Levenshtein's distance as it is written in textbooks.
  private func distance(_ one: [UInt8], _ other: [UInt8]) -> Int {
    var table = [[Int]](repeating: Array(0...other.count), count: one.count + 1)
    for row in 0..<one.count {
      table[row + 1][0] = row + 1
      for column in 0..<other.count {
        table[row + 1][column + 1] = min(
          table[row][column] + (one[row] == other[column] ? 0 : 1), table[row][column + 1] + 1,
          table[row + 1][column] + 1)
      }
    }
    return table[one.count][other.count]
  }
}

@Suite("Wildcards in the route table")
struct WildcardRouteTests {
  private func makeTable(_ routes: [(String, [String])]) throws -> RouteTable {
    let configurations = routes.map { name, matches in
      Route(name: name, matches: matches.map(Self.match), upstream: Origin(scheme: .https, host: "upstream.test"))
    }
    return RouteTable(configurations)
  }

  /// `host[:port][/path]`, with or without `*.` in front.
  private static func match(_ text: String) -> Match {
    let path = text.firstIndex(of: "/").map { String(text[$0...]) } ?? ""
    let parts = text.dropLast(path.count).split(separator: ":").map(String.init)
    let isWildcard = parts[0].hasPrefix("*.")
    return Match(
      host: isWildcard ? String(parts[0].dropFirst(2)) : parts[0], port: parts.count > 1 ? UInt16(parts[1]) : nil,
      path: path, isWildcard: isWildcard)
  }

  private func find(_ table: RouteTable, _ host: String, _ path: String = "/", port: UInt16 = 80) -> String? {
    let (host, path) = (Array(host.utf8), Array(path.utf8))
    return switch table.route(host: host.span, port: port, path: path.span) {
    case .route(let route, _): table.names[route]
    case .leaves(let route): "leaves \(table.names[route])"
    case .ambiguous(let route, let conflict): "\(table.names[route]), but \(conflict.text)"
    case .nothing: nil
    }
  }

  @Test("one takes every host below its domain, whatever the case, and neither the domain nor its neighbours")
  func below() throws {
    let table = try makeTable([("w", ["*.example.com"])])
    for host in ["a.example.com", "A.EXAMPLE.Com.", "a.b.c.example.com", "xn--a.example.com", "com.example.com"] {
      #expect(find(table, host) == "w", "\(host)")
    }
    let others = [
      "example.com", "example.com.", ".example.com", "aexample.com", "a.example.com.evil", "example.com.evil", "com",
      "a.example.co", "a.example.com..", "b.com", "", ".", "a.", "127.0.0.1", "1.2.3.4", "::1", "::ffff:1.2.3.4",
    ]
    for host in others { #expect(find(table, host) == nil, "\(host)") }
  }

  @Test("the host itself wins over every wildcard, and the longest domain over shorter ones, whatever the order")
  func precedence() throws {
    let routes = [
      ("short", ["*.example.com"]), ("long", ["*.api.example.com"]), ("exact", ["x.api.example.com"]),
      ("other", ["*.example.org"]),
    ]
    for order in [routes, routes.reversed(), [routes[2], routes[0], routes[3], routes[1]]] {
      let table = try makeTable(order)
      #expect(find(table, "x.api.example.com") == "exact")
      #expect(find(table, "y.api.example.com") == "long")
      #expect(find(table, "z.x.api.example.com") == "long")
      #expect(find(table, "api.example.com") == "short")
      #expect(find(table, "apiexample.com") == nil)
      #expect(find(table, "a.example.org") == "other")
    }
  }

  @Test("the host decides before the path: what it has no route for does not fall to a wider match")
  func noFallThrough() throws {
    let table = try makeTable([
      ("exact", ["x.example.com/api/"]), ("long", ["*.a.example.com/v1"]), ("short", ["*.example.com"]),
      ("deep", ["*.example.com/v1/orders/"]),
    ])
    #expect(find(table, "x.example.com", "/api/1") == "exact")
    #expect(find(table, "x.example.com", "/admin") == nil)
    #expect(find(table, "b.a.example.com", "/v1/orders/1") == "long")
    #expect(find(table, "b.a.example.com", "/v2") == nil)
    #expect(find(table, "y.example.com", "/v1/orders/1") == "deep")
    #expect(find(table, "y.example.com", "/v1/") == "short")
    #expect(find(table, "y.example.com", "/v1/orders/../../x") == "leaves deep")
  }

  @Test("the port decides before the host: what it has no route for is left to the next wider match")
  func ports() throws {
    let table = try makeTable([
      ("exact", ["x.example.com:8443"]), ("special", ["*.example.com:8443"]), ("any", ["*.example.com"]),
      ("long", ["*.a.example.com:81"]),
    ])
    #expect(find(table, "x.example.com", port: 8443) == "exact")
    #expect(find(table, "y.example.com", port: 8443) == "special")
    for port in [UInt16(80), 443] {
      #expect(find(table, "x.example.com", port: port) == "any")
      #expect(find(table, "b.a.example.com", port: port) == "any")
    }
    #expect(find(table, "b.a.example.com", port: 81) == "long")
    #expect(find(table, "y.example.com", port: 81) == nil)
  }

  @Test("one names no host, as far as browsers are concerned")
  func names() throws {
    let table = try makeTable([("w", ["*.example.com", "x.example.com"])])
    let (below, exact) = (Array("a.example.com".utf8), Array("X.example.com.".utf8))
    let (namesBelow, namesExact) = (table.names(host: below.span), table.names(host: exact.span))
    #expect(!namesBelow)
    #expect(namesExact)
  }
}
