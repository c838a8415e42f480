internal import Addresses
internal import Bytes
internal import Callers
internal import Configuration
internal import HTTPWire
internal import Interception
internal import Reactor
internal import Secrets
internal import SystemPackage
internal import Upstream

/// A client's connection: one request after the other, each an ``Exchange``.
///
/// Between requests it holds no buffer, and, when none comes soon, no task.
// Sendable because its worker's thread is the only one that touches it.
final class ClientConnection: @unchecked Sendable {
  private(set) var stream: ByteStream
  /// The target of the tunnel that carries the client's requests; nil if it sends them to the proxy itself.
  private(set) var tunnelTarget: TunnelTarget?
  /// Whether the client's requests arrive over TLS: on the connection, or, inside a tunnel, in the tunnel.
  private(set) var isSecure = false
  /// Who is at the other end, for the log.
  private(set) var peer: String
  /// The listener that accepted it, with its rules.
  private(set) var listener: ListenerSettings
  /// The listener's certificate, if it speaks TLS.
  let certificate: ListenerCertificate?
  /// The number of the listener, among those of the process.
  let listenerNumber: Int
  /// Whether the listener's `allow` admits this client. Otherwise it gets an error response, and nothing else.
  private(set) var isAdmitted: Bool
  /// The client's address; nil where it has none, or the system does not know it.
  private(set) var address: IPAddress?
  /// The end that the client connected to, where a load balancer says so.
  private(set) var passedDestination: String?
  /// Whether the client connected to a loopback address, which listeners on all addresses include.
  private(set) lazy var isAtLoopback =
    IPAddress(ofEndpoint: passedDestination ?? stream.localAddress)?.unmapped.isLoopback ?? false
  /// Whether the client may have this connection beside its others; otherwise it is only told that it may not.
  var standing: ClientStanding
  let worker: Worker
  /// Who is at the other end, among the callers of proxy.conf.
  var callers: CallerOfConnection
  /// What the connection's task waits at; at rest, it starts the next task.
  let wakeup: Wakeup
  /// The upstream connection that belongs to this client and waits for its next request, if there is one.
  var pin: UpstreamPin?
  /// Bytes that were received and belong to no finished request.
  var input: ByteBuffer?
  /// Whether no request has begun.
  var isIdle = true
  /// Whether it is a tunnel now, or speaks another protocol after Upgrade.
  var isTunnel = false
  /// How many requests it has carried.
  private(set) var requests = 0
  /// Whether the deadline has passed.
  private(set) var isOverdue = false
  /// No deadline is later than this one. The request that sets it resets it.
  var finalDeadline = Instant.never
  /// Whether the program ends now, whatever is under way.
  var isAborted = false
  /// Whether it ends with the request that is under way: the program is about to end, or its listener is gone.
  private(set) var isEnding = false

  /// Whether its request waits for memory.
  var waitsForMemory = false
  /// The memory that it takes besides buffers, roughly.
  private(set) var chargedBytes = MemoryCost.client

  private let timer = LoopTimer()

  /// When an idle connection ends, at rest or not.
  var idleDeadline = Instant.never
  /// Since when there has been no request; ``Instant/never`` before the first one could come.
  var idleSince = Instant.never
  /// Its number in ``UnbegunConnections``.
  var arrival: UInt64 = 0
  /// Whether no request has come, and none is coming.
  var hasNotBegun: Bool { isIdle && requests == 0 && tunnelTarget == nil }
  /// The memory that it takes, including its input.
  var heldBytes: Int { chargedBytes + (input?.capacity ?? 0) }

  init(
    _ stream: ByteStream, peer: SocketPeer, listener: ServedListener, standing: ClientStanding, worker: Worker
  ) {
    self.stream = stream
    self.peer = peer.description
    self.listener = listener.settings
    certificate = listener.certificate
    listenerNumber = listener.number
    callers = CallerOfConnection(worker.generation.callers)
    self.standing = standing
    switch peer {
    case .address(let endpoint): address = IPAddress(ofEndpoint: endpoint)
    case .user(let id): callers.peer.uid = id
    }
    isAdmitted = listener.settings.allow.admits(address)
    self.worker = worker
    wakeup = Wakeup(on: worker.loop)
    stream.observer = wakeup
    stream.servesHalfClosed = listener.settings.halfClose == .serve
    timer.action = { [unowned self] in
      isOverdue = true
      wakeup.wake()
    }
  }

  /// A load balancer passes on this connection of `client`, which connected to `destination`.
  func adoptPassedClient(_ client: SocketPeer, destination: String) {
    peer = client.description
    if case .address(let endpoint) = client { address = IPAddress(ofEndpoint: endpoint) }
    isAdmitted = listener.allow.admits(address)
    passedDestination = destination
    // That was the load balancer's.
    callers.peer.uid = nil
  }

  /// A new generation serves from now on, in which the listener of this connection is `listener`; its rules name
  /// callers of `directory`.
  func adopt(_ listener: ListenerSettings, _ directory: CallerDirectory?) {
    self.listener = listener
    isAdmitted = listener.allow.admits(address)
    callers.adopt(directory)
  }

  /// Ends the connection after its current request, or at once if it has none.
  func endSoon() {
    isEnding = true
    wakeup.wake()
  }

  /// Begins to serve.
  func start() {
    guard hasPreamble else {
      beginIdleness()
      return rest()
    }
    if case .counted = standing {
      setDeadline(worker.loop.now + worker.generation.timeouts.handshake)
      return restUntilHello()
    }
    beginPreamble()
  }

  /// Goes through what comes before the first request, and serves.
  func beginPreamble() {
    worker.loop.start { [self] in
      guard await isReady() else { return end() }
      beginIdleness()
      await serve()
    }
  }

  /// Serves requests until none comes soon, or the connection ends.
  func serve() async {
    serving: while true {
      switch await idle() {
      case .request: break
      case .rest: return rest()
      case .end:
        // A client that only stopped sending may read until TLS says that no more comes.
        if stream.servesHalfClosed, !stream.hasLeft { stream.finishSending() }
        break serving
      }
      let exchange = worker.lendExchange()
      requests += 1
      if worker.isDraining { isEnding = true }
      if isLastRequest { worker.metrics.reached(.requestsPerConnection) }
      let ending = await exchange.run(on: self)
      worker.giveBack(exchange)
      isIdle = true
      if ending != .keepsConnection { endPin() }
      switch ending {
      case .keepsConnection:
        // Requests that need no waiting must not keep the loop from other connections.
        if input != nil || stream.isReadable { await worker.loop.yield() }
        beginIdleness()
        continue
      case .closesConnection: await closeGently()
      case .endsConnection: if !mayClose() { await closeGently() }
      case .abortsConnection: stream.abort()
      }
      break
    }
    if let tunnelTarget, isSecure, requests == 0, !isOverdue, !isAborted, !isEnding {
      worker.noteUnusedTunnel(of: peer, to: tunnelTarget)
    }
    end()
  }

  /// Whether the connection ends after the request that is being served, however that ends.
  var isLastRequest: Bool { requests >= worker.generation.requestsPerConnection }

  /// From now on the client's requests come inside a tunnel to `target`, and are counted anew.
  func enterTunnel(_ target: TunnelTarget) {
    endPin()
    tunnelTarget = target
    isSecure = target.isSecure
    requests = 0
  }

  private func end() {
    endPin()
    worker.loop.retire(timer)
    stream.observer = nil
    stream.close()
    worker.buffers.takeBack(&input)
    worker.forget(self)
  }

  /// Reads into a buffer that is lent only for bytes that are there; false when the connection has ended.
  func receiveFirstBytes() -> Bool {
    switch receive() {
    case .transferred, .wouldBlock: true
    case .endOfStream, .failed: false
    }
  }

  /// Appends received bytes to the input, in a buffer that is lent only if there are bytes to read.
  func receive() -> IOResult {
    let buffer = input ?? worker.buffers.lendForInput()
    let result = stream.receive(into: buffer)
    if case .transferred = result {
      input = buffer
    } else if input == nil {
      worker.buffers.giveBack(buffer)
    }
    return result
  }

  /// Takes `count` bytes off what has been received.
  func consume(_ count: Int) {
    guard let input else { return }
    input.consume(count)
    if input.isEmpty { worker.buffers.takeBack(&self.input) }
  }

  /// The request that began with a head of `length` bytes is over; what has come behind the head begins the next.
  ///
  /// - Parameter buffers: the worker's; the exchange has them at hand.
  func endHead(_ length: Int, _ buffers: BufferPool) {
    guard let input = input.take() else { return }
    input.consume(length)
    if input.isEmpty { buffers.giveBack(input) } else { self.input = buffers.extend(input) }
  }

  /// Before a wait in which nothing is received: moves the input into as little memory as it needs.
  func shrinkInput(_ buffers: BufferPool) {
    if let input = input.take() { self.input = buffers.shrink(input) }
  }

  // MARK: Waiting

  /// Wakes the connection, and sets ``isOverdue``, when `deadline` has passed.
  // Inlined, it would count references to the worker and the timer.
  @inline(never) func setDeadline(_ deadline: Instant) {
    isOverdue = false
    worker.set(timer, to: min(deadline, finalDeadline))
  }

  /// The client's bytes go through `encrypted` from now on, a TLS session on the previous stream.
  func continueIn(_ encrypted: TLSStream) {
    encrypted.observer = wakeup
    encrypted.servesHalfClosed = stream.servesHalfClosed
    stream = encrypted
    isSecure = true
  }

  /// Which callers the listener serves, as numbers in `directory`; nil if it serves any.
  func listenerAccess(in directory: CallerDirectory) -> CallerAccess? {
    listener.callers.map { CallerAccess($0, of: callers.directory, in: directory) }
  }

  // MARK: Memory

  /// It takes this many bytes more from now on; fewer if the number is negative.
  func charge(_ bytes: Int) {
    chargedBytes += bytes
    worker.memory.charge(bytes)
  }

  /// The client of its request, as far as the connection knows.
  var requestClient: ClientKey {
    if let caller = callers.known { return ClientKey(caller: caller) }
    guard case .counted(let address) = standing else { return .anyone }
    return address.key
  }
}
