import Bytes
import LoopbackTesting
import Outbound
import Reactor
import Upstream

/// A pool on a loop of its own, asked from a test.
final class PoolOnLoop {
  let running: RunningLoop
  let pool: UpstreamPool
  let dialer: Dialer
  /// What the pool tells others.
  let shown = PoolFigures()

  init(
    _ origin: UpstreamOrigin, connections: Int = 2, queue: Int = 2, idle: Duration = .seconds(60),
    trust: TrustStores? = nil, areShared: Bool = false
  ) throws {
    var policy = origin.options.policy
    policy.idle = idle
    let origin = origin.with(policy)
    let running = try RunningLoop()
    let trust = try trust ?? TrustStores([origin.options.trust])
    self.running = running
    let shown = shown
    var limits = UpstreamPool.Limits(connections: connections, queue: queue)
    limits.areShared = areShared
    (pool, dialer) = try running.run { [limits] in
      let dialer = try Dialer(loop: running.loop, trust: trust)
      let pool = UpstreamPool(
        origin: origin, limits: limits, figures: shown, dialer: dialer, loop: running.loop)
      // A pool lives as long as the loop that its connections report to.
      running.loop.onWaiting { withExtendedLifetime(pool) {} }
      return (pool, dialer)
    }
  }

  /// Another pool to `origin`, by the same dialer on the same loop.
  init(beside other: PoolOnLoop, _ origin: UpstreamOrigin) throws {
    running = other.running
    dialer = other.dialer
    let (shown, running, dialer) = (shown, running, dialer)
    pool = try running.run {
      let pool = UpstreamPool(
        origin: origin, limits: UpstreamPool.Limits(connections: 2, queue: 2), figures: shown,
        dialer: dialer, loop: running.loop)
      running.loop.onWaiting { withExtendedLifetime(pool) {} }
      return pool
    }
  }

  convenience init(
    port: UInt16, connections: Int = 2, queue: Int = 2, idle: Duration = .seconds(60), areShared: Bool = false
  ) throws {
    try self.init(
      UpstreamOrigin(isSecure: false, host: "127.0.0.1", port: port), connections: connections, queue: queue,
      idle: idle, areShared: areShared)
  }

  /// A connection, or the reason why there is none.
  func connect(timeout: Duration = .seconds(10), mustBeNew: Bool = false) throws -> Result<
    UpstreamConnection, UpstreamError
  > {
    try running.run { [self] in
      let wakeup = Wakeup(on: running.loop)
      let lease = UpstreamLease(connectTimeout: timeout, wakeup: wakeup)
      pool.request(lease, mustBeNew: mustBeNew)
      while true {
        if let outcome = lease.outcome { return outcome }
        await wakeup.wait()
      }
    }
  }

  /// Sends `text` and reads until `end` has come.
  func exchange(_ connection: UpstreamConnection, _ text: String, upTo end: String) throws -> String {
    try running.run {
      let wakeup = Wakeup(on: self.running.loop)
      connection.stream.observer = wakeup
      defer { connection.stream.observer = nil }
      let buffer = ByteBuffer(capacity: 65_536)
      buffer.append(text)
      while !buffer.isEmpty {
        switch connection.stream.send(from: buffer) {
        case .transferred: continue
        case .wouldBlock: await wakeup.wait()
        case let result: return "\(result)"
        }
      }
      var received = ""
      while !received.hasSuffix(end) {
        switch connection.stream.receive(into: buffer) {
        case .transferred:
          for index in 0..<buffer.count { received.unicodeScalars.append(Unicode.Scalar(buffer.readableBytes[index])) }
          buffer.removeAll()
        case .wouldBlock: await wakeup.wait()
        case let result: return "\(received)\(result)"
        }
      }
      return received
    }
  }

  func release(_ connection: UpstreamConnection) throws {
    try running.run { [self] in pool.release(connection) }
  }

  func discard(_ connection: UpstreamConnection) throws {
    try running.run { [self] in pool.discard(connection) }
  }

  func pin(_ connection: UpstreamConnection) throws {
    try running.run { [self] in pool.pin(connection) }
  }

  func resume(_ connection: UpstreamConnection) throws -> Bool {
    try running.run { [self] in pool.resume(pinned: connection) }
  }

  /// Connections open and idle, and requests that wait.
  func figures() throws -> [Int] {
    try running.run { [self] in [pool.openConnections, pool.idleConnections, pool.waitingRequests] }
  }
}

extension UpstreamOrigin {
  /// The same server, with another policy.
  func with(_ policy: ConnectionPolicy) -> UpstreamOrigin {
    var options = options
    options.policy = policy
    return UpstreamOrigin(isSecure: isSecure, host: host, port: port, destinations: destinations, options: options)
  }
}
