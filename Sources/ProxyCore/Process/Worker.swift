internal import Bytes
internal import Callers
internal import Configuration
internal import Encodings
internal import HTTPWire
internal import Interception
internal import Reactor
internal import Synchronization
internal import SystemPackage
internal import Telemetry
internal import Upstream

/// Everything that one event loop needs to serve requests; nothing of it is shared with another loop.
// Sendable because its loop's thread is the only one that touches it once the loop runs.
final class Worker: @unchecked Sendable {
  let loop: EventLoop
  /// What serves the requests that begin now.
  private(set) var local: LoopGeneration
  /// What buffers and connections of all loops take.
  let memory: MemoryAccount
  /// Where requests wait for memory.
  private(set) lazy var memoryGate = MemoryGate(
    memory, queueLimit: local.generation.loopLimits.memoryQueue, loops: local.generation.loopLimits.loops
  ) { [unowned self] in
    countRequests()
  }
  let memoryTimer = LoopTimer()
  let trimTimer = LoopTimer()
  // How long the connections of a process that is being replaced have for another request.
  private let drainGrace = LoopTimer()
  private static let drainGraceTime = Interval(.seconds(2))
  var isTrimming = false
  /// The connections without a request so far, where memory has a limit.
  var unbegun: UnbegunConnections
  /// When idle connections were last closed for want of memory.
  var lastEase = Instant(nanoseconds: 0)
  /// A scratch buffer for bytes that ending connections receive and discard.
  let discarded = ByteBuffer(capacity: 8 * 1024)
  let metrics: WorkerMetrics
  let accessLog: AccessLog?
  let viaName: ViaName
  /// The TLS handshakes of clients.
  let handshakes: FairGate
  /// The round of the loop in which the last one of them began.
  var lastHandshake = Instant.never
  /// Certificates for hosts that another thread makes for this loop: one at a time, since each takes a core.
  let minting = FairGate(places: 1)
  var requestNumbers = RequestNumbers()
  let logger: EventLog
  private(set) var isDraining = false
  /// How many requests got a response, or were given up. The loop's thread writes it, another reads it at the end.
  let requestsServed = Atomic<UInt64>(0)

  private let catalog: LoopCatalog
  private var listeners: [(listener: Listener, number: Int)] = []
  /// What the connections to each listener get, by its number.
  private var served: [Int: ServedListener] = [:]
  private(set) var connections: [ObjectIdentifier: ClientConnection] = [:]
  private let clients: ClientCensus
  private var refusals = 0
  /// The log lines that clients may still cause.
  var notices = WorkerNotices()
  /// Those that no request uses, the one used last at the end.
  var exchanges: [Exchange] = []
  private var drained: (@Sendable () -> Void)?
  private var date = (second: UInt64(0), text: [UInt8]())

  // As many as are likely to be under way at once are kept for the next requests.
  private static let exchangesKept = 1024
  // Refused connections of all loops that are still being told so; what comes beyond that is closed without a word.
  private static let mostRefusals = 64
  private static let leastRefusals = 4

  init(
    loop: EventLoop, dialer: Dialer, generation: Generation, shared: SharedResources, accessLog: AccessLog?,
    logger: EventLog
  ) {
    self.loop = loop
    catalog = LoopCatalog(dialer, loop, shared)
    local = LoopGeneration(generation, catalog)
    self.accessLog = accessLog
    self.logger = logger
    (memory, clients, viaName) = (shared.memory, shared.clients, shared.viaName)
    unbegun = UnbegunConnections(shared.memory, loops: generation.loopLimits.loops)
    metrics = WorkerMetrics(shared.registry, notices: shared.limitNotices)
    handshakes = FairGate(places: generation.loopLimits.handshakes)
    if let accessLog { loop.onWaiting { accessLog.flush() } }
    prepareMemory()
  }

  /// What proxy.conf says, for the requests that begin now.
  var generation: Generation { local.generation }
  var buffers: BufferPool { local.buffers }

  // MARK: Generations

  /// Makes `generation` serve new requests, and `served` new connections, by the number of their listener. Connections
  /// to a listener that is not in `served` end with their current request.
  ///
  /// - Parameters:
  ///   - own: where connections to upstreams must not lead.
  ///   - keepalive: after how much silence peers of connections are probed; nil for never.
  func adopt(_ generation: Generation, _ served: [Int: ServedListener], own: OwnListeners, keepalive: Duration?) {
    catalog.setOwnListeners(own)
    local = LoopGeneration(generation, catalog)
    catalog.keepOnly(what: generation)
    prepareMemory()
    exchanges.removeAll()
    handshakes.change(places: generation.loopLimits.handshakes)
    memoryGate.change(queueLimit: generation.loopLimits.memoryQueue)
    unbegun.limitChanged(connections)
    self.served = served
    for (listener, number) in listeners where served[number] == nil { listener.close() }
    listeners.removeAll { served[$0.number] == nil }
    for (listener, _) in listeners { listener.keepAlive(after: keepalive) }
    for connection in connections.values {
      if let listener = served[connection.listenerNumber] {
        // What the client proved, or did not have to prove, followed the old rules.
        if connection.listener.tls != listener.settings.tls { connection.endSoon() }
        connection.adopt(listener.settings, generation.callers)
      } else {
        connection.endSoon()
      }
    }
    pauseOrResume()
  }

  // MARK: Connections

  /// Accepts from `socket` when the loop runs.
  ///
  /// - Parameter sharesQueue: whether other loops accept from the same queue.
  func listen(
    on served: ServedListener, _ socket: consuming ListeningSocket, sharesQueue: Bool = false
  ) throws(Errno) {
    let number = served.number
    let listener = Listener(socket, sharesQueue: sharesQueue, on: loop) { [unowned self] socket, peer in
      // The listener is closed before it is removed from there.
      if let served = self.served[number] { accept(socket, peer, served) }
    }
    listener.onExhaustion = { [unowned self] errno in noteExhaustion(errno) }
    self.served[number] = served
    listeners.append((listener, number))
    try listener.start()
    if isFull { listener.pause() }
    // A reload that was under way when the drain began.
    if isDraining { closeListeners() }
  }

  private var isFull: Bool { connections.count >= generation.loopLimits.connections }

  private func pauseOrResume() {
    for (listener, _) in listeners {
      if isFull { listener.pause() } else { listener.resume() }
    }
  }

  private func accept(_ socket: consuming Descriptor, _ peer: SocketPeer, _ listener: ServedListener) {
    // One that a load balancer passes on counts for the client, once that is known.
    let standing =
      listener.settings.proxyProtocol.includes(peer) ? .unknown : admit(peer, isTLS: listener.certificate != nil)
    guard let standing else { return }
    let connection: ClientConnection
    do {
      connection = ClientConnection(
        try SocketStream(socket, on: loop), peer: peer, listener: listener, standing: standing, worker: self)
    } catch {
      leave(standing)
      logger.warning(.accept, [.client: "\(peer)", .error: "\(error)"])
      return
    }
    metrics.accepted.increment()
    metrics.open.add()
    connections[ObjectIdentifier(connection)] = connection
    memory.charge(connection.chargedBytes)
    if unbegun.isBounded {
      unbegun.append(connection)
      if memory.isTight { boundUnbegun() }
    }
    if connections.count == generation.loopLimits.connections {
      metrics.reached(.connections)
      pauseOrResume()
    }
    connection.start()
  }

  /// Counts another connection of the client at `peer`; nil if it is refused, and too many refused clients are being
  /// told already.
  func admit(_ peer: SocketPeer, isTLS: Bool) -> ClientStanding? {
    let client = ClientAddress(peer)
    let bytes = isTLS ? MemoryCost.client + MemoryCost.clientTLS : MemoryCost.client
    let admission = clients.admit(client, most: mostConnectionsPerClient(taking: bytes))
    guard case .refused(let error) = admission else { return .counted(client) }
    noteRefusal(of: peer, error)
    let most = max(Self.leastRefusals, Self.mostRefusals / generation.loopLimits.loops)
    guard refusals < most else { return nil }
    refusals += 1
    return .refused(error)
  }

  private func leave(_ standing: ClientStanding) {
    switch standing {
    case .counted(let client): clients.leave(client)
    case .refused: refusals -= 1
    case .unknown: break
    }
  }

  /// The connection has ended.
  func forget(_ connection: ClientConnection) {
    guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
    metrics.open.subtract()
    memory.release(connection.chargedBytes)
    leave(connection.standing)
    if isDraining {
      // In the next round of the loop: by then the log line of the last request has been handed over.
      if connections.isEmpty, let drained { loop.perform(drained) }
    } else if connections.count == generation.loopLimits.connections - 1 {
      pauseOrResume()
    }
  }

  /// Sets or moves the deadline of `timer`, like the loop's own function, for calls in every request.
  // Not inlined: the worker reads its own constants without a reference count; another object that reads them needs one.
  @inline(never) func set(_ timer: LoopTimer, to deadline: Instant) { loop.set(timer, to: deadline) }

  // MARK: What exchanges borrow

  func lendExchange() -> Exchange {
    exchanges.popLast() ?? Exchange(worker: self)
  }

  func giveBack(_ exchange: Exchange) {
    requestsServed.store(requestsServed.load(ordering: .relaxed) + 1, ordering: .relaxed)
    guard exchanges.count < Self.exchangesKept, exchange.local === local else { return }
    exchanges.append(exchange)
  }

  /// The value of Date at this moment.
  var httpDate: [UInt8] {
    let second = WallClock.now() / 1_000_000_000
    if date.second != second { date = (second, HTTPDate.text(secondsSince1970: second)) }
    return date.text
  }

  // MARK: The end

  /// Accepts no more, lets what runs finish, and calls `done` when no connection is left.
  ///
  /// - Parameter isReplaced: whether another process accepts from the same sockets.
  func drain(isReplaced: Bool = false, _ done: @escaping @Sendable () -> Void) {
    isDraining = true
    drained = done
    closeListeners(arePassedOn: isReplaced)
    if isReplaced {
      // A client that has just connected, or sends its next request at this moment, gets a response and then the end of the
      // connection.
      drainGrace.action = { [unowned self] in for connection in connections.values { connection.endSoon() } }
      loop.set(drainGrace, to: loop.now + Self.drainGraceTime)
    } else {
      for connection in connections.values { connection.endSoon() }
    }
    for pool in local.pools.made { pool.closeIdle() }
    local.requestedHosts.closeIdle()
    if connections.isEmpty { done() }
  }

  /// Accepts no more.
  func closeListeners(arePassedOn: Bool = false) {
    for (listener, _) in listeners { listener.close(isPassedOn: arePassedOn) }
    listeners = []
  }

  /// The sockets that it accepts from, for another process, each with the number of its listener.
  func copyListeners() throws(Errno) -> [(number: Int, copy: ListenerCopy)] {
    var copies: [(number: Int, copy: ListenerCopy)] = []
    for (listener, number) in listeners {
      if let copy = try listener.copy() { copies.append((number, copy)) }
    }
    return copies
  }

  /// How many requests are under way.
  var requestsInFlight: Int { connections.values.count { !$0.isIdle } }

  /// How many of them are tunnels, WebSockets and the like.
  var tunnels: Int { connections.values.count { $0.isTunnel } }

  /// Ends what has not finished by itself.
  func closeAll(requests: Bool = true, tunnels: Bool = true) {
    for connection in connections.values where connection.isTunnel ? tunnels : requests { connection.abort() }
  }
}
