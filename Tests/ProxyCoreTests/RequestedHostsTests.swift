import Configuration
import LoopbackTesting
import Outbound
import Reactor
import Testing
import Upstream

@testable import ProxyCore

@Suite("Hosts that requests name")
struct RequestedHostsTests {
  private static let never = Duration.seconds(3600)

  /// Calls `body` on a loop, with hosts whose names are those of ports of this machine.
  private func withHosts<Value>(
    limit: Int = 10, idleLimit: Int = 10,
    _ body: @escaping (RequestedHosts, EventLoop) async throws -> Value
  ) throws -> Value {
    let running = try RunningLoop()
    return try running.run {
      let loop = running.loop
      let dialer = try Dialer(loop: loop, trust: TrustStores([TrustSettings()]))
      let limits = UpstreamPool.Limits(connections: 4, queue: 4)
      let hosts = RequestedHosts(
        RequestedHosts.Settings(hosts: limit, pool: .init(connections: idleLimit, queue: 0))
      ) {
        UpstreamPool(origin: $0, limits: limits, dialer: dialer, loop: loop)
      }
      let value = try await body(hosts, loop)
      hosts.closeIdle()
      return value
    }
  }

  private func origin(_ port: UInt16, idle: Duration = never) -> UpstreamOrigin {
    var policy = ConnectionPolicy()
    policy.idle = idle
    return UpstreamOrigin(
      isSecure: false, host: "127.0.0.1", port: port, options: ConnectionOptions(policy: policy))
  }

  /// A connection to `host`.
  private func connect(_ host: RequestedHosts.Host, on loop: EventLoop) async throws -> UpstreamConnection {
    let wakeup = Wakeup(on: loop)
    let lease = UpstreamLease(connectTimeout: .seconds(10), wakeup: wakeup)
    host.pool.request(lease)
    while true {
      if let outcome = lease.outcome { return try outcome.get() }
      await wakeup.wait()
    }
  }

  /// Leaves an idle connection to `port` behind.
  private func use(
    _ hosts: RequestedHosts, _ port: UInt16, idle: Duration = never, on loop: EventLoop
  ) async throws {
    let host = try #require(hosts.enter(origin(port, idle: idle)))
    host.pool.release(try await connect(host, on: loop))
    hosts.leave(host)
  }

  @Test("one without connections is gone when it is not in use")
  func gone() throws {
    let counts = try withHosts { hosts, _ in
      let first = try #require(hosts.enter(origin(1)))
      let second = try #require(hosts.enter(origin(1)))
      let isSame = first === second
      #expect(isSame)
      var counts = [hosts.count]
      hosts.leave(first)
      counts.append(hosts.count)
      hosts.leave(second)
      counts.append(hosts.count)
      return counts
    }
    #expect(counts == [1, 1, 0])
  }

  @Test("one with an idle connection is kept until that ends")
  func kept() throws {
    let listener = try RawListener()
    let count = try withHosts { hosts, loop in
      try await use(hosts, listener.port, on: loop)
      let kept = hosts.count
      try listener.accept().close()
      while hosts.count > 0 { await loop.yield() }
      return kept
    }
    #expect(count == 1)
  }

  @Test("one with an idle connection is kept until that was not used for long")
  func expired() throws {
    let listener = try RawListener()
    try withHosts { hosts, loop in
      try await use(hosts, listener.port, idle: .milliseconds(1), on: loop)
      while hosts.count > 0 { await loop.yield() }
    }
    #expect(try listener.accept().readToEnd().end == .closed)
  }

  @Test("the one not used for longest gives way when the limit is reached, one in use does not")
  func limit() throws {
    let listeners = try (0..<3).map { _ in try RawListener() }
    let found = try withHosts(limit: 2) { hosts, loop in
      try await use(hosts, listeners[0].port, on: loop)
      try await use(hosts, listeners[1].port, on: loop)
      try await use(hosts, listeners[0].port, on: loop)
      try await use(hosts, listeners[2].port, on: loop)
      let second = try listeners[1].accept().readToEnd().end
      let (first, third) = (hosts.enter(origin(listeners[0].port)), hosts.enter(origin(listeners[2].port)))
      let idle = [first?.pool.idleConnections, third?.pool.idleConnections]
      let fourth = hosts.enter(origin(listeners[1].port))
      hosts.leave(try #require(first))
      let fifth = hosts.enter(origin(listeners[1].port))
      hosts.leave(try #require(third))
      hosts.leave(try #require(fifth))
      return (second, idle, fourth == nil, hosts.count)
    }
    #expect(found.0 == .closed)
    #expect(found.1 == [1, 1])
    #expect(found.2)
    #expect(found.3 == 1)
  }

  @Test("one client leaves hosts to others, and may use those that others use")
  func share() throws {
    let found = try withHosts(limit: 4) { hosts, _ in
      let (greedy, modest) = (ClientKey(kind: 0, number: 1), ClientKey(kind: 0, number: 2))
      func enter(_ port: UInt16, _ client: ClientKey) -> RequestedHosts.Host? {
        hosts.enter(origin(port), for: client, most: 3)
      }
      let taken = (1...3).map { enter($0, greedy) }
      var outcomes = taken.map { $0 != nil } + [enter(4, greedy) != nil, hosts.isAtShare(greedy, most: 3)]
      let others = [enter(4, modest), enter(4, greedy), enter(1, modest)]
      outcomes += others.map { $0 != nil } + [enter(5, modest) != nil, hosts.isAtShare(modest, most: 3)]
      // It counts for the client that began to use it, until it is not in use.
      hosts.leave(try #require(taken[0]))
      outcomes.append(hosts.isAtShare(greedy, most: 3))
      hosts.leave(try #require(others[2]))
      outcomes.append(hosts.isAtShare(greedy, most: 3))
      for host in [taken[1], taken[2], others[0], others[1]] { hosts.leave(try #require(host)) }
      // Without a share that leaves something, as before.
      let all = (1...4).map { hosts.enter(origin($0), for: greedy, most: 4) }
      outcomes += [hosts.enter(origin(5), for: greedy, most: 4) == nil, hosts.isAtShare(greedy, most: 4)]
      for host in all { hosts.leave(try #require(host)) }
      return outcomes
    }
    #expect(
      found == [true, true, true, false, true] + [true, true, true, false, false] + [true, false] + [true, false])
  }

  @Test("idle connections to all of them together have a limit; those not used for longest are closed")
  func idleLimit() throws {
    let listeners = try (0..<3).map { _ in try RawListener() }
    let found = try withHosts(idleLimit: 2) { hosts, loop in
      for listener in listeners { try await use(hosts, listener.port, on: loop) }
      let first = try listeners[0].accept().readToEnd().end
      var counts = [hosts.count]
      // The others serve on, and count once.
      for _ in 0..<5 {
        try await use(hosts, listeners[1].port, on: loop)
        try await use(hosts, listeners[2].port, on: loop)
      }
      counts.append(hosts.count)
      // In use it stays, but its idle connection goes.
      let second = try #require(hosts.enter(origin(listeners[1].port)))
      try await use(hosts, listeners[2].port, on: loop)
      try await use(hosts, listeners[0].port, on: loop)
      counts += [second.pool.idleConnections, hosts.count]
      hosts.leave(second)
      counts.append(hosts.count)
      return (first, counts)
    }
    #expect(found.0 == .closed)
    #expect(found.1 == [2, 2, 0, 3, 2])
  }

  @Test("a route leads to the host with its name, and trusts names that the operator wrote out")
  func routes() throws {
    let configured = Route(
      name: "r", matches: [Match(host: "a.test"), Match(host: "a.test", isWildcard: true)], upstream: nil)
    let (below, named) = (Origin(scheme: .https, host: "x.a.test", port: 8443), Origin(scheme: .https, host: "a.test"))
    let route = ProxyRoute(configured, index: 3, pool: nil, tokens: .none)
    let leading = route.leading(to: below)
    #expect(leading.index == 3 && leading.name == "r" && leading.destination.name == "https://x.a.test:8443")
    #expect(String(decoding: leading.destination.hostLine, as: UTF8.self) == "Host: x.a.test:8443\r\n")
    #expect(leading.destination.origin == route.policy.destination(below))
    #expect(!route.policy.destination(below).destinations.allowsPrivate)
    #expect(route.policy.destination(named).destinations.allowsPrivate)
    var allowing = configured
    allowing.allowsPrivate = true
    #expect(
      ProxyRoute(allowing, index: 0, pool: nil, tokens: .none).policy.destination(below).destinations.allowsPrivate)
  }
}
