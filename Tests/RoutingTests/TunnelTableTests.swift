import Configuration
import Testing

@testable import Routing

@Suite("A tunnel in the route table") struct TunnelTableTests {
  private func table(
    tunnels: [String: [Match]] = [:], routes: [String: [Match]] = [:], intercepted: [String: [Match]] = [:]
  ) -> RouteTable {
    var configurations = routes.map { name, matches in
      Route(name: name, matches: matches, upstream: Origin(scheme: .https, host: "upstream.test"))
    }
    for (name, matches) in intercepted {
      var route = Route(name: name, matches: matches, upstream: Origin(scheme: .https, host: "upstream.test"))
      route.tunnel = .intercept
      configurations.append(route)
    }
    for (name, matches) in tunnels {
      var route = Route(name: name, matches: matches, upstream: nil)
      route.tunnel = .blind
      configurations.append(route)
    }
    return RouteTable(configurations)
  }

  /// What becomes of a CONNECT: what was found, and the route's name.
  private func connect(_ table: RouteTable, _ host: String, _ port: UInt16 = 443) -> String? {
    let host = Array(host.utf8)
    return switch table.tunnel(to: host.span, port: port) {
    case .tunnel(let route): "tunnel \(table.names[route])"
    case .intercepted(let route): "inside \(table.names[route])"
    case .hasRequests(let route): "requests \(table.names[route])"
    case .otherPort(let route): "port \(table.names[route])"
    case .nothing: nil
    }
  }

  @Test("to a token endpoint of a route that intercepts ends here, and to that of another route does not")
  func tokenEndpoints() {
    var routes = [
      Route(name: "a", matches: [Match(host: "a.test")], upstream: Origin(scheme: .https, host: "a.test")),
      Route(name: "b", matches: [Match(host: "b.test")], upstream: Origin(scheme: .https, host: "b.test")),
    ]
    routes[0].tunnel = .intercept
    routes[0].tokenEndpoints = [.path("/token"), .host(Match(host: "login.test", path: "/token"))]
    routes[1].tokenEndpoints = [
      .host(Match(host: "other.test", path: "/token")), .host(Match(host: "b.test", path: "/token")),
    ]
    let table = RouteTable(routes)
    #expect(connect(table, "a.test") == "inside a")
    #expect(connect(table, "LOGIN.test") == "inside a")
    #expect(connect(table, "login.test", 80) == "inside a")
    #expect(connect(table, "login.test", 8443) == nil)
    #expect(connect(table, "other.test") == nil)
    #expect(connect(table, "b.test") == "requests b")
    let host = Array("login.test".utf8)
    #expect(table.routesInside(host: host.span, port: 443).map { table.names[$0] } == ["a"])
    #expect(table.routesInside(host: host.span, port: 444).isEmpty)
  }

  @Test("leads to the ports that are named, and to 443 where none is")
  func ports() {
    let table = table(tunnels: ["t": [Match(host: "a.test"), Match(host: "b.test", port: 22)]])
    #expect(connect(table, "a.test") == "tunnel t" && connect(table, "A.Test.") == "tunnel t")
    for port: UInt16 in [80, 22, 8443, 1] { #expect(connect(table, "a.test", port) == "port t") }
    #expect(connect(table, "b.test", 22) == "tunnel t" && connect(table, "b.test") == "port t")
    #expect(connect(table, "c.test") == nil && connect(table, "xa.test") == nil)
  }

  @Test("is for the name itself first, and then for the longest wildcard")
  func wildcards() {
    let wild = Match(host: "wild.test", isWildcard: true)
    let table = table(tunnels: [
      "wild": [wild], "deep": [Match(host: "deep.wild.test", isWildcard: true)], "one": [Match(host: "one.wild.test")],
      "ssh": [Match(host: "one.wild.test", port: 22)],
    ])
    #expect(connect(table, "x.wild.test") == "tunnel wild" && connect(table, "x.deep.wild.test") == "tunnel deep")
    #expect(connect(table, "one.wild.test") == "tunnel one" && connect(table, "one.wild.test", 22) == "tunnel ssh")
    #expect(connect(table, "x.wild.test", 22) == "port wild" && connect(table, "wild.test") == nil)
  }

  @Test("never leads past a route for requests, whatever ports and paths that has and whatever wildcard is above it")
  func requests() {
    let wild = Match(host: "wild.test", isWildcard: true)
    for match in [
      Match(host: "api.wild.test"), Match(host: "api.wild.test", port: 80), Match(host: "api.wild.test", port: 8443),
      Match(host: "api.wild.test", path: "/v1"), Match(host: "api.wild.test", port: 443, path: "/v1/"),
    ] {
      let table = table(tunnels: ["t": [wild]], routes: ["r": [match]])
      #expect(connect(table, "api.wild.test") == "requests r", "\(match)")
      #expect(connect(table, "other.wild.test") == "tunnel t")
    }
    let below = table(
      tunnels: ["t": [wild], "one": [Match(host: "one.in.wild.test")]],
      routes: ["r": [Match(host: "in.wild.test", path: "/x", isWildcard: true)]])
    #expect(connect(below, "a.in.wild.test") == "requests r" && connect(below, "one.in.wild.test") == "tunnel one")
  }

  @Test("is served inside where a route of the host says so, on the ports of http and https or the one that is named")
  func intercepted() {
    let wild = Match(host: "wild.test", isWildcard: true)
    let table = table(
      tunnels: ["t": [Match(host: "blind.wild.test")]], routes: ["r": [Match(host: "b.test", path: "/v2")]],
      intercepted: ["i": [wild, Match(host: "a.test", port: 8443)], "b": [Match(host: "b.test", path: "/v1")]])
    #expect(connect(table, "x.wild.test") == "inside i" && connect(table, "x.wild.test", 80) == "inside i")
    #expect(connect(table, "x.wild.test", 8443) == "port i" && connect(table, "wild.test") == nil)
    #expect(connect(table, "a.test", 8443) == "inside i" && connect(table, "a.test") == "port i")
    // One route of the host is enough, and a blind tunnel to a name comes before a wildcard.
    #expect(connect(table, "B.test.") == "inside b" && connect(table, "blind.wild.test") == "tunnel t")
  }

  @Test("beside a route for requests on another port of the same host each has its own")
  func otherPorts() {
    let table = table(
      tunnels: ["t": [Match(host: "a.test", port: 443)]], routes: ["r": [Match(host: "a.test", port: 80)]])
    #expect(connect(table, "a.test") == "tunnel t" && connect(table, "a.test", 80) == "requests r")
    #expect(connect(table, "a.test", 22) == "requests r")
  }

  @Test("is found for requests too, before a wildcard is, and gives its host no trust")
  func ordinary() {
    let table = table(
      tunnels: ["t": [Match(host: "a.wild.test")]], routes: ["r": [Match(host: "wild.test", isWildcard: true)]])
    let (host, path) = (Array("a.wild.test".utf8), Array("/x".utf8))
    for port: UInt16 in [80, 443] {
      guard case .route(let found, _) = table.route(host: host.span, port: port, path: path.span) else {
        Issue.record("nothing was found")
        continue
      }
      #expect(table.names[found] == "t")
    }
    let isTrusted = table.names(host: host.span)
    #expect(!isTrusted)
  }
}
