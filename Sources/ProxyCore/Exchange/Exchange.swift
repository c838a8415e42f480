internal import Bytes
internal import HTTPWire
internal import Reactor
internal import Secrets
internal import Telemetry
internal import Tokens
internal import Upstream

/// One request and its response, from the first byte that the client sends to the line in the log.
///
/// Exchanges are lent by the worker and used again: their arrays and heads keep their memory.
final class Exchange {
  /// What becomes of the client's connection.
  enum Ending {
    /// It may carry another request.
    case keepsConnection
    /// It ends, after the client has had time to read the response.
    case closesConnection
    /// It ends as the client wanted, who has said that nothing more will come.
    case endsConnection
    /// It ends with a reset: what the client has is not the whole response.
    case abortsConnection
  }

  let worker: Worker
  /// The client's connection, from ``begin(on:)`` to ``finish()``.
  var connection: ClientConnection!

  /// What proxy.conf says to it. Constant, so that reading it costs no reference count: a worker with another generation
  /// makes new exchanges.
  let generation: Generation
  /// The same with what its event loop has for it.
  let local: LoopGeneration
  // What requests use of the worker most, as constants of their own: reached through the worker, each use would cost a reference
  // count.
  let buffers: BufferPool
  let viaName: ViaName
  let accessLog: AccessLog?
  private let charge: MemoryCharge

  // Memory that is used again. What it holds is of this exchange only once the phase that fills it has run.
  /// The request's head, valid while ``ReceivedRequest/hasHead`` is true.
  var head = RequestHead()
  /// The content that goes to the upstream.
  let upload: BodyRelay
  /// The content that goes to the client.
  let download: BodyRelay
  /// The protocols that the upstream may change the connection to, as places in the request's head.
  var offeredProtocols: [ByteRange] = []
  /// Where responses are parsed; read as ``answerHead``.
  var parsedAnswerHead = ResponseHead()

  // What is known and done, by lifetime. Each is reset as a whole, in ``reset()``.
  /// What the request says, and who sent it.
  var request = ReceivedRequest()
  /// The Authorization line, without its end, for the user and password that the target had; nil where it had none. Apart from the
  /// request's other values, which are copied and reset without reference counts.
  var targetCredentials: Secret?
  /// What was decided about the request; nil until ``matchRoute()`` has found its route.
  var decision: Decision?
  /// The token that goes on the request.
  var bearer = Bearer()
  /// What the exchange holds of what all share.
  var holdings = Holdings()
  /// The attempt at the upstream that is under way. A request that is sent again is another attempt.
  var attempt = Attempt()
  /// What became of it.
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

  /// Forwards the request and relays the response, or what the connection becomes after it.
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
    request.uploadPace = ClientPace(rate: generation.minRate)
    request.downloadPace = request.uploadPace
  }

  /// Gives everything back that was borrowed, the upstream connection first.
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

  /// Forgets everything about the request, so that the next one begins clean. The memory of heads and relays stays.
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

  // MARK: What earlier phases have found

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

  /// Ends the use of the upstream's connection, and keeps it for other requests, or for those of its client, if nothing is
  /// left on it of this one.
  func endUpstream(answerIsWhole: Bool) {
    guard let pool = holdings.pool, let upstream = attempt.upstream.take() else { return }
    if answerIsWhole, answerHead.wantsKeepAlive, upload.isFinished {
      if upstream.isPinned { keepPinned(upstream, of: pool) } else { pool.release(upstream) }
    } else {
      pool.discard(upstream)
    }
  }

  // MARK: Waiting

  /// Waits for news of either connection, for a decision of another task, or for the deadline.
  ///
  /// - Throws: `clientGone` when the client has left, `overdue` when the deadline has passed.
  @inline(__always) func wait(overdue: @autoclosure () -> ExchangeError) async throws(ExchangeError) {
    try check(overdue: overdue())
    await connection.wakeup.wait()
    try check(overdue: overdue())
  }

  /// Lets other tasks run in the middle of work that could continue.
  ///
  /// - Throws: as ``wait(overdue:)`` does.
  func takeTurns(overdue: @autoclosure () -> ExchangeError) async throws(ExchangeError) {
    await worker.loop.yield()
    try check(overdue: overdue())
  }

  /// - Throws: as ``wait(overdue:)`` does.
  func check(overdue: @autoclosure () -> ExchangeError) throws(ExchangeError) {
    if connection.isAborted { throw .draining }
    if connection.stream.hasLeft { throw .clientGone }
    // A transfer that goes on and on sets new deadlines, and would never be overdue.
    if let route, worker.loop.now >= connection.finalDeadline { throw .outOfTime(route) }
    if connection.isOverdue { throw overdue() }
  }
}
