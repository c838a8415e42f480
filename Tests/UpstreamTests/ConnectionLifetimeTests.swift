import LoopbackTesting
import Outbound
import Reactor
import Testing

@testable import Upstream

@Suite("How long a connection serves requests") struct ConnectionLifetimeTests {
  private let start = Instant(nanoseconds: 1_000_000_000_000)

  private func policy(_ change: (inout ConnectionPolicy) -> Void) -> ConnectionPolicy {
    var policy = ConnectionPolicy()
    change(&policy)
    return policy
  }

  @Test("it is kept for the idle time, and not beyond its age")
  func idleAndAge() {
    let lifetime = ConnectionLifetime(policy { ($0.idle, $0.maxAge) = (.seconds(30), .seconds(600)) })
      .begun(at: start, place: 0)
    #expect(lifetime.idleEnd(from: start) == start + .seconds(30))
    #expect(lifetime.idleEnd(from: lifetime.end) == lifetime.end)
    let endless = ConnectionLifetime(policy { $0.maxAge = nil }).begun(at: start, place: 0)
    #expect(endless.end == .never)
  }

  @Test("ages differ by up to a tenth, and are the same for the same moment and place")
  func jitter() {
    let lifetime = ConnectionLifetime(policy { $0.maxAge = .seconds(600) })
    let ends = (0..<1000).map { lifetime.begun(at: start, place: $0).end }
    #expect(ends == (0..<1000).map { lifetime.begun(at: start, place: $0).end })
    let earliest = start + .seconds(540)
    #expect(ends.allSatisfy { earliest <= $0 && $0 <= start + .seconds(600) })
    // Spread over all of that time.
    for part in 0..<10 {
      let (from, to) = (earliest + .seconds(6 * part), earliest + .seconds(6 * (part + 1)))
      #expect(ends.count { from <= $0 && $0 < to } > 50)
    }
    let day = ConnectionLifetime(policy { $0.maxAge = .seconds(24 * 3600) }).begun(at: start, place: 1).end
    #expect(start + .seconds(24 * 3240) <= day && day <= start + .seconds(24 * 3600))
  }

  @Test(
    "what the server announces is obeyed with a second to spare, or a tenth",
    arguments: [
      (0, 0), (1, 0), (2, 1_000), (5, 4_000), (10, 9_000), (20, 18_000), (60, 54_000), (999_999_999, 3_600_000),
    ] as [(UInt64, UInt64)])
  func announced(seconds: UInt64, kept: UInt64) {
    var lifetime = ConnectionLifetime(policy { $0.idle = .seconds(3600) })
    lifetime.shortenIdle(announced: seconds)
    #expect(lifetime.idle.nanoseconds == kept * 1_000_000)
  }

  @Test("a longer time than the one that is set changes nothing")
  func longer() {
    var lifetime = ConnectionLifetime(policy { $0.idle = .seconds(4) })
    lifetime.shortenIdle(announced: 60)
    #expect(lifetime.idle == Interval(.seconds(4)))
  }

  @Test("without reuse, after its last request and at its age it is closed when it is given back")
  func givenBack() throws {
    for policy in [
      policy { $0.isReused = false }, policy { $0.maxRequests = 1 }, policy { $0.maxAge = .nanoseconds(1) },
    ] {
      let listener = try RawListener()
      let pool = try pool(listener, policy)
      let connection = try pool.connect().get()
      let peer = try listener.accept()
      // The next round of the loop is later than the one in which it was made.
      try pool.running.run { await pool.running.loop.yield() }
      try pool.release(connection)
      #expect(try peer.readToEnd().end == .closed)
      #expect(try pool.figures() == [0, 0, 0])
    }
  }

  @Test("a request that waits gets a new connection where the one that is given back has served for long enough")
  func waiting() throws {
    let listener = try RawListener()
    let pool = try pool(listener, policy { $0.maxRequests = 1 }, connections: 1)
    let first = try pool.connect().get()
    let second = try pool.running.run { () -> UpstreamConnection? in
      let lease = UpstreamLease(connectTimeout: .seconds(10), wakeup: Wakeup(on: pool.running.loop))
      pool.pool.request(lease)
      guard lease.outcome == nil else { return nil }
      pool.pool.release(first)
      while lease.outcome == nil { await pool.running.loop.yield() }
      return try lease.outcome?.get()
    }
    #expect(second != nil && second !== first && second?.earlierRequests == 0)
  }

  @Test("of several idle ones each is closed in its own time")
  func ownTimes() throws {
    let listener = try RawListener()
    let pool = try pool(listener, policy { $0.idle = .seconds(3600) })
    let (kept, announced) = (try pool.connect().get(), try pool.connect().get())
    let peers = [try listener.accept(), try listener.accept()]
    try pool.release(kept)
    announced.noteAnnounced(idle: 2, requests: nil)
    try pool.release(announced)
    #expect(try peers[1].readToEnd().end == .closed)
    #expect(try pool.figures() == [1, 1, 0])
  }

  private func pool(_ listener: RawListener, _ policy: ConnectionPolicy, connections: Int = 2) throws -> PoolOnLoop {
    let origin = UpstreamOrigin(isSecure: false, host: "127.0.0.1", port: listener.port)
    return try PoolOnLoop(origin.with(policy), connections: connections, idle: policy.idle)
  }
}
