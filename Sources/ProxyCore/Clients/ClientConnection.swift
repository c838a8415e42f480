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

// Sendable because its worker's thread is the only one that touches it.
/// A client's connection: one request after the other, each an ``Exchange``.
///
/// Between requests it holds no buffer, and, when none comes soon, no task.
final class ClientConnection: @unchecked Sendable {
  private(set) var stream: ByteStream
  /// Where the tunnel leads inside which the client sends its requests; nil where it sends them to the proxy itself.
  private(set) var tunnelTarget: TunnelTarget?
  /// Whether the client's requests come by TLS: on a connection that is TLS, or, inside a tunnel, in the tunnel.
  private(set) var isSecure = false
  /// Who is at the other end, as far as the connection itself says that.
  var peerCredentials = PeerCredentials()
  /// Who is at the other end, for the log.
  private(set) var peer: String
  /// The listener that it came to, and who may use that.
  let listener: ListenerSettings
  /// What the listener shows, where it speaks TLS.
  let certificate: ListenerCertificate?
  /// Whether the listener's `allow` lets this client in. One that it does not gets an answer, and nothing else.
  private(set) var isAdmitted: Bool
  /// The client's address; nil where it has none, or the system does not know it.
  private(set) var address: IPAddress?
  /// The end that the client connected to, where a load balancer says so.
  private(set) var passedDestination: String?
  /// Whether the client connected to a loopback address, which a listener on all addresses has too.
  private(set) lazy var isAtLoopback =
    IPAddress(ofEndpoint: passedDestination ?? stream.localAddress)?.unmapped.isLoopback ?? false
  /// Whether the client may have this connection beside its others; otherwise it is only told that it may not.
  var standing: ClientStanding
  let worker: Worker
  /// Which of the callers is at the other end, by what the connection itself says, or by what CONNECT said, which holds
  /// for all that comes through it; nil if that is not known. Looked up with the first request that wants to know.
  lazy var callerOfPeer = worker.generation.callers?.caller(of: peerCredentials)
  /// The field with user and password that was right last time, and whose they are.
  var knownCredentials: (field: Secret, caller: Int)?
  /// Where the task of this connection waits, for whatever it waits for; at rest, what begins the next one.
  let wakeup: Wakeup
  /// The upstream connection that belongs to this client and waits for its next request, if there is one.
  var pin: UpstreamPin?
  /// Bytes that were received and belong to no finished request.
  var input: ByteBuffer?
  /// Whether no request has begun.
  private(set) var isIdle = true
  /// How many requests it has carried.
  private(set) var requests = 0
  /// Whether the deadline has passed.
  private(set) var isOverdue = false
  /// No deadline is later than this one, which whoever sets it takes back.
  var finalDeadline = Instant.never
  /// Whether the program ends now, whatever is under way.
  private(set) var isAborted = false

  /// Whether its request waits for memory.
  var waitsForMemory = false
  /// What it takes beside buffers, about.
  private(set) var chargedBytes = MemoryCost.client

  private let timer = LoopTimer()

  /// When an idle connection ends, at rest or not.
  private var idleDeadline = Instant.never
  /// Since when there has been no request; ``Instant/never`` before the first one could come.
  private(set) var idleSince = Instant.never

  // A client that sends one request after the other finds the task still there; what others leave is memory for those who
  // are busy.
  private static let timeToRest = Interval(.milliseconds(20))
  // Multiples of this are the moments at which connections go to rest.
  private static let restingMoments = Interval(.milliseconds(40))
  // How long is read and thrown away after an answer that ends the connection.
  private static let lingeringTime = Duration.seconds(2)
  // After so many reads in a row it is another task's turn.
  private static let readsInARow = 8

  init(
    _ stream: ByteStream, peer: SocketPeer, listener: ServedListener, standing: ClientStanding, worker: Worker
  ) {
    self.stream = stream
    self.peer = peer.description
    self.listener = listener.settings
    certificate = listener.certificate
    self.standing = standing
    switch peer {
    case .address(let endpoint): address = IPAddress(ofEndpoint: endpoint)
    case .user(let id): peerCredentials.uid = id
    }
    isAdmitted = listener.settings.allow.admits(address)
    self.worker = worker
    wakeup = Wakeup(on: worker.loop)
    stream.observer = wakeup
    timer.action = { [unowned self] in
      isOverdue = true
      wakeup.wake()
    }
  }

  /// It is the connection of somebody else than it seemed: of `client`, who connected to `destination`.
  func adoptPassedClient(_ client: SocketPeer, destination: String) {
    peer = client.description
    if case .address(let endpoint) = client { address = IPAddress(ofEndpoint: endpoint) }
    isAdmitted = listener.allow.admits(address)
    passedDestination = destination
    // That was the load balancer's.
    peerCredentials.uid = nil
  }

  /// What an idle connection comes to.
  private enum Idleness {
    /// The first byte of a request has come.
    case request
    /// None comes soon.
    case rest
    /// There will be none.
    case end
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
  private func serve() async {
    serving: while true {
      switch await idle() {
      case .request: break
      case .rest: return rest()
      case .end: break serving
      }
      let exchange = worker.lendExchange()
      requests += 1
      if isLastRequest { worker.metrics.reached(.requestsPerConnection) }
      let ending = await exchange.run(on: self)
      worker.giveBack(exchange)
      isIdle = true
      if ending != .keepsConnection { endPin() }
      switch ending {
      case .keepsConnection:
        // Requests that are answered without waiting for anything must not keep the loop from everybody else.
        if input != nil || stream.isReadable { await worker.loop.yield() }
        beginIdleness()
        continue
      case .closesConnection: await closeGently()
      case .endsConnection: if !mayClose() { await closeGently() }
      case .abortsConnection: stream.abort()
      }
      break
    }
    if let tunnelTarget, isSecure, requests == 0, !isOverdue, !isAborted, !worker.isDraining {
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

  /// Says why there will be no request, without waiting for one, in plain HTTP.
  func refuse(_ error: ExchangeError) async {
    guard let answer = error.answer else { return }
    let response = ErrorResponse(
      answer, hop: error.hop, route: nil, date: String(decoding: worker.httpDate, as: UTF8.self), isHead: false,
      closes: true)
    let buffer = worker.buffers.lend()
    buffer.append(response.bytes.span)
    // A new socket has room for it.
    let result = stream.send(from: buffer)
    worker.buffers.giveBack(buffer)
    if case .transferred = result { await closeGently() }
  }

  private func end() {
    endPin()
    worker.loop.retire(timer)
    stream.observer = nil
    stream.close()
    worker.buffers.takeBack(&input)
    worker.forget(self)
  }

  /// Closes the upstream connection that waits for this client, if there is one.
  func endPin() {
    guard let pin else { return }
    self.pin = nil
    pin.end()
  }

  /// From now on there is time for the first byte of the next request.
  private func beginIdleness() {
    let now = worker.loop.now
    idleSince = now
    idleDeadline = now + (isAdmitted ? worker.generation.timeouts.idle : worker.generation.timeouts.head)
    setDeadline(min(idleDeadline, restingMoment(after: now)))
  }

  /// When a connection that is idle from `now` on goes to rest: not before the time for that, and when others do as well,
  /// so that the loop wakes up once for all of them.
  private func restingMoment(after now: Instant) -> Instant {
    (now + Self.timeToRest).roundedUp(to: Self.restingMoments)
  }

  /// Waits for the first byte of a request.
  private func idle() async -> Idleness {
    while input == nil {
      if isAborted { return .end }
      if worker.isDraining, requests > 0 || !stream.isReadable {
        // A request that comes too late must not take the answer before it along.
        if stream.isReadable { await closeGently() }
        return .end
      }
      guard stream.isReadable else {
        if isOverdue { return worker.loop.now < idleDeadline ? .rest : .end }
        await wakeup.wait()
        continue
      }
      guard receiveFirstBytes() else { return .end }
    }
    isIdle = false
    return .request
  }

  /// Waits on without a task.
  private func rest() {
    setDeadline(idleDeadline)
    wakeup.wait { [unowned self] in
      // The kernel reports the room in a new socket as well.
      guard stream.isReadable || isOverdue || isAborted || worker.isDraining else { return rest() }
      worker.loop.start { [self] in
        // News of other things than a request leave the time that is left.
        if !isOverdue { setDeadline(min(idleDeadline, restingMoment(after: worker.loop.now))) }
        await serve()
      }
    }
  }

  /// Reads into a buffer that is lent only for bytes that are there; false when the connection has ended.
  func receiveFirstBytes() -> Bool {
    switch receive() {
    case .transferred, .wouldBlock: true
    case .endOfStream, .failed: false
    }
  }

  /// Reads behind what has been received, into a buffer that is lent only for bytes that are there.
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
  func endHead(_ length: Int) {
    guard let input else { return }
    input.consume(length)
    if input.isEmpty {
      worker.buffers.takeBack(&self.input)
    } else {
      self.input = worker.buffers.extend(input)
    }
  }

  /// A wait begins that nothing is received in; what is there is kept in as little memory as it needs.
  func shrinkInput() {
    guard let input else { return }
    self.input = worker.buffers.shrink(input)
  }

  // MARK: Waiting

  /// From now on the connection is woken, and ``isOverdue``, when `deadline` has passed.
  func setDeadline(_ deadline: Instant) {
    isOverdue = false
    worker.loop.set(timer, to: min(deadline, finalDeadline))
  }

  // MARK: TLS

  /// Shakes hands with a client that speaks TLS from here on, and has until the deadline for that: the bytes that it has sent
  /// are the first of them. From then on ``stream`` is the encrypted one, and ``peerCredentials`` have the client's
  /// certificate, if it has shown one.
  ///
  /// There is no TLS session before the ClientHello is whole, and a place among `limits.handshakes` free.
  ///
  /// - Parameter choose: is given the name that the client asks for, if it names one, and may return another context; called
  ///   where `context` pauses at that moment.
  /// - Throws: why there was no agreement; the client has been told, and nothing else can be said on the connection.
  func startTLS(
    _ context: @autoclosure () -> TLSServerContext, choose: (String?) async -> TLSServerContext? = { _ in nil }
  ) async throws(TLSFailure) {
    try await receiveHello()
    let client = clientAddress
    try await enterHandshakes(client)
    defer { worker.handshakes.leave(client) }
    let encrypted = try takeOver(context())
    charge(MemoryCost.handshake)
    defer { charge(MemoryCost.clientTLS - MemoryCost.handshake) }
    encrypted.observer = wakeup
    stream = encrypted
    isSecure = true
    while true {
      switch encrypted.handshake() {
      case .done:
        // Inside a tunnel nobody is asked for another one.
        if let certificate = encrypted.peerCertificate { peerCredentials.certificate = certificate }
        return
      case .hello:
        if let chosen = await choose(encrypted.serverName) { encrypted.use(chosen) }
      case .wouldBlock:
        if isOverdue || isAborted { throw .timedOut }
        await wakeup.wait()
      case .failed(let failure):
        throw failure
      }
    }
  }

  private func takeOver(_ context: TLSServerContext) throws(TLSFailure) -> TLSStream {
    let received = input
    input = nil
    defer { if let received { worker.buffers.giveBack(received) } }
    do throws(Errno) {
      if let carrier = stream as? TLSStream {
        return try TLSStream(inside: carrier, received: received, context, on: worker.loop)
      }
      guard let socket = (stream as? SocketStream)?.handOver() else { throw .badFileDescriptor }
      return try TLSStream(socket, received: received, context, on: worker.loop)
    } catch {
      throw .system(error)
    }
  }

  // MARK: Memory

  /// It takes so many bytes more from now on; fewer, where the number is negative.
  private func charge(_ bytes: Int) {
    chargedBytes += bytes
    worker.memory.charge(bytes)
  }

  /// Whether it has been idle since `moment` at least, and may be closed for the benefit of others.
  func isIdle(since moment: Instant) -> Bool { isIdle && idleSince <= moment && input == nil }

  /// Closes the connection, which is idle, unless a request has come that the loop has not looked at yet.
  func giveWay() {
    if !stream.isReadable, !stream.hasUnexpectedInput() { abort() }
  }

  /// Whose its request is, as far as the connection knows.
  var requestClient: ClientKey {
    if worker.generation.callers != nil, let caller = knownCredentials?.caller ?? callerOfPeer {
      return ClientKey(caller: caller)
    }
    guard case .counted(let address) = standing else { return .anyone }
    return address.key
  }

  // MARK: Ending

  /// The program is about to end: an idle connection closes now, a busy one after its request, which may have something
  /// to cut short.
  func drain() {
    wakeup.wake()
  }

  /// The program ends.
  func abort() {
    isAborted = true
    wakeup.wake()
  }

  /// Whether closing loses nothing: all that the client has sent was read, and all that it is sent is with the kernel. In TLS
  /// the end has been told then.
  private func mayClose() -> Bool {
    guard input == nil, !stream.hasUnexpectedInput() else { return false }
    if !(stream is SocketStream) { stream.finishSending() }
    return !stream.hasUnsentBytes
  }

  /// Closes so that the client can read the answer although it may still be sending: a plain close would make the
  /// kernel reset the connection, and the answer would be lost on the way (RFC 9112 section 9.6). Bounded by time, not
  /// by bytes: many clients look for an answer only when all has been sent.
  private func closeGently() async {
    stream.finishSending()
    setDeadline(worker.loop.now + Self.lingeringTime)
    // Nothing of what has come or comes is looked at, so that many that end take no memory for it.
    worker.buffers.takeBack(&input)
    let buffer = worker.discarded
    var reads = 0
    while !isOverdue, !isAborted {
      buffer.removeAll()
      switch stream.receive(into: buffer) {
      case .transferred:
        reads += 1
        if reads % Self.readsInARow == 0 { await worker.loop.yield() }
      case .wouldBlock: await wakeup.wait()
      case .endOfStream, .failed: return
      }
    }
  }
}
