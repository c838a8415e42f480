internal import Bytes
internal import HTTPWire
internal import Reactor
internal import Secrets
internal import Telemetry
internal import Tokens
internal import Upstream

/// One request and its response, from the first byte that the client sends to the line in the log.
///
/// The worker lends exchanges, which are reused: their arrays and heads keep their memory.
final class Exchange {
  /// What happens with the client's connection.
  enum Ending {
    /// It may carry another request.
    case keepsConnection
    /// It ends, after the client has had time to read the response.
    case closesConnection
    /// It ends because the client wanted that, and has said that nothing more will come.
    case endsConnection
    /// It ends with a reset: the client does not have the whole response.
    case abortsConnection
  }

  let worker: Worker
  /// The client's connection, from ``begin(on:)`` to ``finish()``.
  var connection: ClientConnection!

  /// What proxy.conf says for it. Constant, so that reading it costs no reference count: a worker with another
  /// generation makes new exchanges.
  let generation: Generation
  /// The event loop's part of the generation.
  let local: LoopGeneration
  // The parts of the worker that requests use most, as constants: each use through the worker would cost a reference count.
  let buffers: BufferPool
  let viaName: ViaName
  let accessLog: AccessLog?
  private let charge: MemoryCharge

  // Memory that is reused. Its contents belong to this exchange only after the phase that fills it.
  /// The request's head, valid while ``ReceivedRequest/hasHead`` is true.
  var head = RequestHead()
  /// The body that goes to the upstream.
  let upload: BodyRelay
  /// The body that goes to the client.
  let download: BodyRelay
  /// The protocols that the upstream may switch to, as positions in the request's head.
  var offeredProtocols: [ByteRange] = []
  /// The parsed head of a response; read it as ``answerHead``.
  var parsedAnswerHead = ResponseHead()

  // The state, by lifetime. Each value is reset as a whole, in ``reset()``.
  /// What the request says, and which caller sent it.
  var request = ReceivedRequest()
  /// The Authorization line, without its end, for the user and password in the target; nil if it had none. Separate
  /// from the request's other values, which are copied and reset without reference counts.
  var targetCredentials: Secret?
  /// What was decided about the request; nil until ``matchRoute()`` has found its route.
  var decision: Decision?
  /// The token that goes on the request.
  var bearer = Bearer()
  /// The shared resources that the exchange holds.
  var holdings = Holdings()
  /// The current attempt at the upstream. A request that is sent again is another attempt.
  var attempt = Attempt()
  /// The result.
  var outcome = Outcome()

  init(worker: Worker) {
    self.worker = worker
    local = worker.local
    generation = local.generation
    buffers = local.buffers
    viaName = worker.viaName
    accessLog = worker.accessLog
    charge = MemoryCharge(MemoryCost.request, to: worker.memory)
    upload = BodyRelay(buffers)
    download = BodyRelay(buffers)
  }

  /// Serves the request that has begun on `connection`.
  func run(on connection: ClientConnection) async -> Ending {
    begin(on: connection)
    do throws(ExchangeError) {
      try await readRequest(on: connection)
      try identifyClient()
      if let callers = generation.callers { try await identifyCaller(callers) }
      let decision = try matchRoute()
      try applyRules(decision)
      try applyLimits(decision.route)
      if worker.memory.isTight { try await waitForMemory() }
      switch decision.plan {
      case .forward:
        if try goesNoFurther() { await answerOptions() } else { try await forward(decision.route) }
      case .openTunnel:
        try await relayTunnel(try await openTunnel(decision.route))
      case .interceptTunnel:
        try await interceptTunnel()
      case .answerTokenRequest:
        try await answerTokenRequest(decision.route)
      }
    } catch {
      outcome.failure = error
      await answer(error)
    }
    record()
    return finish()
  }

  /// Forwards the request and relays the response, or the tunnel that follows it.
  @inline(__always) private func forward(_ matched: ProxyRoute) async throws(ExchangeError) {
    expectMemory()
    if let limit = matched.policy.concurrency { try await takePlace(limit, matched) }
    if !attachToken() { try await waitForToken(matched) }
    let route = try chooseUpstream(matched)
    while true {
      try await forwardRequest(route)
      try await readAnswer(route)
      if answerHead.status < 400 {
        if bearer.isOnTrial { noteAcceptance(route) }
        break
      }
      guard try await replaysAfterError(route) else { break }
    }
    if hasSwitched {
      try await switchProtocols(route)
      try await relayTunnel(route)
    } else {
      try await relayResponse(route)
    }
  }

  private func begin(on connection: ClientConnection) {
    assert(
      decision == nil && holdings.isEmpty && attempt.upstream == nil && outcome.status == 0, "an exchange begins clean")
    self.connection = connection
    outcome.clock = ExchangeClock(start: worker.loop.now)
    request.number = worker.requestNumbers.next()
    request.uploadPace = ClientPace(rate: generation.minRate)
    request.downloadPace = request.uploadPace
  }

  /// Gives back everything that was borrowed, the upstream connection first.
  private func finish() -> Ending {
    connection.finalDeadline = .never
    releaseUpstream()
    leavePlace()
    endExpectingMemory()
    if let host = holdings.requestedHost { local.requestedHosts.leave(host) }
    endUpload()
    buffers.takeBack(&attempt.answerInput)
    buffers.takeBack(&holdings.answerOutput)
    if download.isBegun {
      download.giveBackBuffers()
      download.end()
    }
    if holdings.tunnel != nil { holdings.tunnel!.giveBack(to: buffers) }
    let ending = outcome.ending
    reset()
    return ending
  }

  /// Clears everything about the request, so that the next one starts clean. Heads and relays keep their memory.
  private func reset() {
    request = ReceivedRequest()
    if targetCredentials != nil { targetCredentials = nil }
    decision = nil
    bearer = Bearer()
    holdings = Holdings()
    attempt = Attempt()
    outcome = Outcome()
    if !offeredProtocols.isEmpty { offeredProtocols.removeAll(keepingCapacity: true) }
    connection = nil
    assert(!upload.isBegun && !download.isBegun, "relays end before the exchange does")
  }

  // MARK: Results of earlier phases

  /// The buffer with the request's head. It is there from ``readRequest()`` until a tunnel takes it over or the exchange
  /// ends.
  @inline(__always) var requestInput: ByteBuffer {
    guard let input = connection.input else { preconditionFailure("the request's head is still in its buffer") }
    return input
  }

  /// The request's target, from ``readRequest()`` on.
  @inline(__always) var receivedTarget: RequestTarget {
    guard let target = request.target else { preconditionFailure("the request has been read") }
    return target
  }

  /// What was decided about the request, from ``matchRoute()`` on.
  @inline(__always) var decided: Decision {
    guard let decision else { preconditionFailure("the request has a route") }
    return decision
  }

  /// The connections to the upstream, from ``chooseUpstream(_:)`` on.
  @inline(__always) var pool: UpstreamPool {
    guard let pool = holdings.pool else { preconditionFailure("the upstream has been chosen") }
    return pool
  }

  /// The head of the upstream's response, once ``readAnswer(_:)`` has read one.
  var answerHead: ResponseHead {
    @inline(__always) _read {
      assert(attempt.hasAnswerHead, "there is no response yet")
      yield parsedAnswerHead
    }
  }

  /// The route, once it is known: for messages, the log and metrics. Phases get theirs as an argument.
  var route: ProxyRoute? { decision?.route }

  /// The next request begins where this one ended.
  func endUpload() {
    // Read once: each reading of a variable of another object costs a reference count.
    let connection = self.connection!
    if request.hasHead { connection.endHead(head.length, buffers) }
    guard upload.isBegun else { return }
    guard let rest = upload.endBeforeRest() else { return }
    if connection.input != nil {
      buffers.giveBack(rest)
    } else {
      connection.input = buffers.extend(rest)
    }
  }

  private func releaseUpstream() {
    let isWhole = download.isFinished && download.decoder.framing != .untilClose && download.input.isEmpty
    endUpstream(answerIsWhole: outcome.failure == nil && isWhole)
  }

  /// Stops using the upstream's connection, and keeps it for other requests, or for this client's, if nothing of this
  /// request is left on it.
  func endUpstream(answerIsWhole: Bool) {
    guard let pool = holdings.pool, let upstream = attempt.upstream.take() else { return }
    if answerIsWhole, answerHead.wantsKeepAlive, upload.isFinished {
      if upstream.isPinned { keepPinned(upstream, of: pool) } else { pool.release(upstream) }
    } else {
      pool.discard(upstream)
    }
  }

  // MARK: Waiting

  /// Waits for an event on either connection, for another task, or for the deadline.
  ///
  /// - Throws: `clientGone` if the client has left, `overdue` if the deadline has passed.
  @inline(__always) func wait(overdue: @autoclosure () -> ExchangeError) async throws(ExchangeError) {
    try check(overdue: overdue())
    await connection.wakeup.wait()
    try check(overdue: overdue())
  }

  /// Lets other tasks run in the middle of work that could continue.
  ///
  /// - Throws: the same as ``wait(overdue:)``.
  func takeTurns(overdue: @autoclosure () -> ExchangeError) async throws(ExchangeError) {
    await worker.loop.yield()
    try check(overdue: overdue())
  }

  /// - Throws: the same as ``wait(overdue:)``.
  func check(overdue: @autoclosure () -> ExchangeError) throws(ExchangeError) {
    if connection.isAborted { throw .draining }
    if connection.stream.hasLeft { throw .clientGone }
    // A transfer that keeps moving sets new deadlines, and would never be overdue.
    if let route, worker.loop.now >= connection.finalDeadline { throw .outOfTime(route) }
    if connection.isOverdue { throw overdue() }
  }
}
