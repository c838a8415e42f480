internal import Bytes
internal import CLinux
internal import Reactor
internal import Upstream

extension Worker {
  // How often to check whether waiting requests can begin. Memory is given back on any loop, a buffer at a time:
  // reading one number costs less than waking other loops for each buffer.
  private static let lookInterval = Interval(.milliseconds(20))
  // How often idle connections are closed while memory is tight.
  private static let easeInterval = Interval(.milliseconds(100))
  private static let leastIdleness = Interval(.seconds(1))
  // How often to trim free buffers after some were allocated, and how often when few are left.
  private static let trimInterval = Interval(.seconds(1))
  private static let restInterval = Interval(.seconds(10))
  // The allocator is asked to return memory when the account has shrunk by this much since the last time.
  private static let worthReturning = 1024 * 1024
  // Less than this is not worth another check.
  private static let littleMemory = 4 * 1024 * 1024
  private static let fewExchanges = 16
  // When only an eighth of the memory is left, the connections of one client may take this part of the limit.
  private static let connectionsPart = 16
  private static let fewConnections = 16

  /// Starts to watch free buffers, and requests that wait for memory.
  func prepareMemory() {
    // Not weak: reference counting is slower for an object that ever had a weak reference, and every request uses the
    // worker. The worker lives as long as the buffers and the loop are used.
    buffers.onGrowth = { [unowned self] in
      guard !isTrimming else { return }
      isTrimming = true
      loop.set(trimTimer, to: loop.now + Self.trimInterval)
    }
    trimTimer.action = { [unowned self] in trimMemory() }
    memoryTimer.action = { [unowned self] in
      memoryGate.look(loop.now)
      watchMemory()
    }
  }

  /// Checks waiting requests repeatedly until none wait for memory.
  func watchMemory() {
    guard memoryGate.waiting > 0 else { return loop.set(memoryTimer, to: .never) }
    loop.set(memoryTimer, to: loop.now + Self.lookInterval)
    easeMemory()
  }

  /// The requests under way that do not wait for memory, by client.
  func countRequests() -> [ClientKey: Int] {
    var counts: [ClientKey: Int] = [:]
    for connection in connections.values where !connection.isIdle && !connection.waitsForMemory {
      counts[connection.requestClient, default: 0] += 1
    }
    return counts
  }

  /// How many connections of `bytes` each the available memory allows one client. A connection costs little, but
  /// thousands of them take the memory that other clients' requests need.
  func mostConnectionsPerClient(taking bytes: Int) -> Int {
    guard memory.isTight, let limit = memory.limit, memory.room < limit / 8 else { return .max }
    guard !memory.isFull else { return Self.fewConnections }
    return max(Self.fewConnections, limit / Self.connectionsPart / bytes)
  }

  /// If memory is tight, closes an eighth of the idle connections of each kind, those idle the longest.
  func easeMemory() {
    guard memory.isTight, loop.now >= lastEase + Self.easeInterval else { return }
    lastEase = loop.now
    // A connection that has just become idle, or was just made, may have its next request on the way.
    guard loop.now.nanoseconds > Self.leastIdleness.nanoseconds else { return }
    let moment = Instant(nanoseconds: loop.now.nanoseconds - Self.leastIdleness.nanoseconds)
    let idle = connections.values.filter { $0.isIdle(since: moment) }.sorted { $0.idleSince < $1.idleSince }
    for connection in idle.prefix((idle.count + 7) / 8) { connection.giveWay() }
    for pool in local.pools.made { pool.closeLongestIdle((pool.idleConnections + 7) / 8) }
    local.requestedHosts.closeIdle()
    exchanges.removeAll()
  }

  /// Closes connections without a request, oldest first, while they take more than their part of the memory. Call it if
  /// they take more and memory is tight. Handshakes and heads that never end come from as many addresses as an attacker
  /// has, so that a bound for each client does not help.
  func boundUnbegun() {
    easeMemory()
    guard let excess = unbegun.excess(in: connections, at: loop.now) else { return }
    metrics.reached(.memory)
    noteEviction(of: excess[0])
    for connection in excess {
      // Input on a new connection may be a request.
      if connection.input == nil, !connection.isSecure { connection.giveWay() } else { connection.abort() }
    }
  }

  /// Gives back free buffers and finished exchanges, half of them at a time, and then asks the allocator to return memory.
  private func trimMemory() {
    let hasMore = buffers.trim()
    exchanges.removeFirst(max(0, exchanges.count - Self.fewExchanges + 1) / 2)
    if hasMore || exchanges.count > Self.fewExchanges { return loop.set(trimTimer, to: loop.now + Self.trimInterval) }
    if memory.hasFallen(by: Self.worthReturning) { clinux_return_free_memory() }
    // Connections take memory too, and end long after the buffers are free.
    isTrimming = memory.taken > Self.littleMemory
    if isTrimming { loop.set(trimTimer, to: loop.now + Self.restInterval) }
  }
}

/// The connections of one loop that have had no request, in the order of arrival.
struct UnbegunConnections {
  /// A connection that has arrived. A later one may reuse the identifier of one that has ended, so each also has a number.
  private struct Arrival {
    let connection: ObjectIdentifier
    let number: UInt64
  }

  /// Whether memory has a limit; otherwise nothing is recorded here.
  private(set) var isBounded = false
  private let account: MemoryAccount
  private let loops: Int
  private var arrivals: [Arrival] = []
  private var lastNumber: UInt64 = 0
  private var lastLook = Instant(nanoseconds: 0)
  private var known = 0

  // The part of the limit that they may take, with the connections themselves, when memory is tight.
  private static let part = 8
  // A check takes a few nanoseconds for each connection.
  private static let lookInterval = Interval(.milliseconds(5))
  private static let few = 64

  /// - Parameter loops: how many loops share the account.
  init(_ account: MemoryAccount, loops: Int) {
    (self.account, self.loops) = (account, loops)
    isBounded = account.limit != nil
  }

  /// A limit of the memory may have been set or removed; `connections` are all connections of the loop.
  mutating func limitChanged(_ connections: [ObjectIdentifier: ClientConnection]) {
    guard isBounded != (account.limit != nil) else { return }
    isBounded.toggle()
    arrivals = []
    // In any order: which of them came first is unknown.
    if isBounded { for connection in connections.values { append(connection) } }
  }

  /// Records another connection.
  mutating func append(_ connection: ClientConnection) {
    // Drop connections that have ended, or begun a request, since they were recorded.
    if arrivals.count > 2 * known + Self.few, arrivals.count > 2 * connection.worker.connections.count {
      tidy(connection.worker.connections)
    }
    lastNumber += 1
    connection.arrival = lastNumber
    arrivals.append(Arrival(connection: ObjectIdentifier(connection), number: lastNumber))
  }

  /// The oldest ones, as many as must go so that the rest stays within its part; nil if none must, or this was checked
  /// just now.
  mutating func excess(
    in connections: [ObjectIdentifier: ClientConnection], at now: Instant
  ) -> [ClientConnection]? {
    guard let limit = account.limit, now >= lastLook + Self.lookInterval else { return nil }
    lastLook = now
    tidy(connections)
    let most = limit / Self.part / loops
    var bytes = arrivals.reduce(0) { $0 + connections[$1.connection]!.heldBytes }
    var excess: [ClientConnection] = []
    for arrival in arrivals where bytes > most {
      let connection = connections[arrival.connection]!
      bytes -= connection.heldBytes
      excess.append(connection)
    }
    return excess.isEmpty ? nil : excess
  }

  private mutating func tidy(_ connections: [ObjectIdentifier: ClientConnection]) {
    arrivals.removeAll { arrival in
      guard let connection = connections[arrival.connection], connection.arrival == arrival.number else { return true }
      return !connection.hasNotBegun || connection.isAborted
    }
    known = arrivals.count
  }
}
