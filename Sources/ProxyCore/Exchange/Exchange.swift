internal import Bytes
internal import HTTPWire
internal import Reactor
internal import Tokens
internal import Upstream

/// One request and its answer, from the first byte that the client sends to the line in the log.
///
/// Exchanges are lent by the worker and used again: their arrays and heads keep their memory.
final class Exchange {
  /// What becomes of the client's connection.
  enum Ending {
    /// It may carry another request.
    case keepsConnection
    /// It ends, after the client has had time to read the answer.
    case closesConnection
    /// It ends as the client wanted, who has said that nothing more will come.
    case endsConnection
    /// It ends with a reset: what the client has is not the whole answer.
    case abortsConnection
  }

  let worker: Worker
  private let charge: MemoryCharge
  var connection: ClientConnection!

  // What is being done.
  var head = RequestHead()
  var target: RequestTarget?
  var hasHead = false
  /// Who sent the request, by number among the callers of proxy.conf; nil where nobody knows.
  var caller: Int?
  /// What became of its user and password, where they are not those of a caller.
  var passwordVerdict: PasswordVerdict?
  var route: ProxyRoute?
  /// Whether the route was found by the path alone, with which the proxy is the server that the client knows.
  var isMounted = false
  var mountLength = 0
  /// Whether it is a token request that the proxy answers itself.
  var isTokenRequest = false
  /// What is left of Max-Forwards, for a request that it means something to.
  var remainingForwards: UInt64?
  /// Whether it counts among the requests of the route that are under way.
  var holdsPlace = false
  /// Where its token comes from; nil where it needs none.
  var tokens: TokenSource?
  var token: AccessToken?
  /// Why the request goes on without a token although the route has one.
  var missingToken: String?
  /// The connections to the upstream, once that is chosen.
  var pool: UpstreamPool!
  /// The host below a wildcard that the request goes to, where it goes to one.
  var requestedHost: RequestedHosts.Host?
  var upstream: UpstreamConnection?
  let upload: BodyRelay
  /// Whether the upstream takes no more of the request's content.
  var uploadIsRefused = false
  var answerHead = ResponseHead()
  /// Bytes of the upstream's answer, from the first one on, until `download` has them.
  var answerInput: ByteBuffer?
  /// What the client is sent before the answer's content, until `download` has it.
  var answerOutput: ByteBuffer?
  let download: BodyRelay
  /// The protocols that the upstream may change the connection to, as places in the request's head.
  var offeredProtocols: [ByteRange] = []
  /// What goes both ways, once CONNECT has been answered or the protocol has changed.
  var tunnel: TunnelRelay?
  /// What the log says of the request that the tunnel began with.
  var tunnelRequest: TunnelRequest?
  var isRepetition = false
  /// Whether the client's own credentials go on that authenticate the connection they are sent on (NTLM, Negotiate).
  var authenticatesConnection = false
  /// Whether it went out on the connection that belonged to its client.
  var isOnPinned = false
  /// What the response says about schemes that authenticate connections.
  var challenge = ConnectionChallenge.none
  var uploadPace = ClientPace(rate: nil)
  var downloadPace = ClientPace(rate: nil)
  /// How much of the answer had been delivered when its deadline was set.
  var deliveredAtDeadline: UInt64 = 0

  // What became of it.
  /// The statuses after which it was sent again.
  var replayedAfter: [Int] = []
  var ending = Ending.closesConnection
  var status = 0
  var hasBegunAnswer = false
  var failure: ExchangeError?
  var clock = ExchangeClock()

  init(worker: Worker) {
    self.worker = worker
    charge = MemoryCharge(MemoryCost.request, to: worker.memory)
    upload = BodyRelay(worker.buffers)
    download = BodyRelay(worker.buffers)
  }

  /// Serves the request that has begun on `connection`.
  func run(on connection: ClientConnection) async -> Ending {
    begin(on: connection)
    do throws(ExchangeError) {
      try await readRequest()
      try identifyClient()
      if let callers = worker.callers { try await identifyCaller(callers) }
      try matchRoute()
      try applyRules()
      try applyLimits()
      if worker.memory.isTight { try await waitForMemory() }
      if target?.form == .authority {
        if route?.policy.isIntercepted == true {
          try await interceptTunnel()
        } else {
          try await openTunnel()
          try await relayTunnel()
        }
      } else if isTokenRequest {
        try await answerTokenRequest()
      } else if try goesNoFurther() {
        await answerOptions()
      } else {
        if let limit = route?.policy.concurrency { try await takePlace(limit) }
        if !attachToken() { try await waitForToken() }
        while true {
          try await forwardRequest()
          try await readAnswer()
          dropRefusedToken()
          guard mayReplay, try await prepareReplay() else { break }
        }
        if hasSwitched {
          try await switchProtocols()
          try await relayTunnel()
        } else {
          try await relayResponse()
        }
      }
    } catch {
      failure = error
      await answer(error)
    }
    record()
    return finish()
  }

  private func begin(on connection: ClientConnection) {
    self.connection = connection
    hasHead = false
    target = nil
    isMounted = false
    isTokenRequest = false
    remainingForwards = nil
    isRepetition = false
    authenticatesConnection = false
    isOnPinned = false
    if !replayedAfter.isEmpty { replayedAfter.removeAll(keepingCapacity: true) }
    uploadIsRefused = false
    if !offeredProtocols.isEmpty { offeredProtocols.removeAll(keepingCapacity: true) }
    ending = .closesConnection
    status = 0
    hasBegunAnswer = false
    clock = ExchangeClock(start: worker.loop.now)
    uploadPace = ClientPace(rate: worker.minRate)
    downloadPace = uploadPace
  }

  /// Gives everything back that was borrowed, the upstream connection first.
  private func finish() -> Ending {
    connection.finalDeadline = .never
    releaseUpstream()
    leavePlace()
    if let requestedHost { worker.requestedHosts.leave(requestedHost) }
    requestedHost = nil
    pool = nil
    endUpload()
    worker.buffers.takeBack(&answerInput)
    worker.buffers.takeBack(&answerOutput)
    if download.isBegun {
      download.giveBackBuffers()
      download.end()
    }
    if tunnel != nil {
      tunnel!.giveBack(to: worker.buffers)
      tunnel = nil
    }
    if tunnelRequest != nil { tunnelRequest = nil }
    route = nil
    caller = nil
    passwordVerdict = nil
    tokens = nil
    token = nil
    if missingToken != nil { missingToken = nil }
    if failure != nil { failure = nil }
    connection = nil
    return ending
  }

  /// The next request begins where this one ended.
  func endUpload() {
    // Read once: each reading of a variable of another object costs a reference count.
    let connection = self.connection!
    if hasHead { connection.endHead(head.length) }
    guard upload.isBegun else { return }
    upload.abandon()
    upload.giveBackOutput()
    let rest = upload.input
    upload.end()
    if rest.isEmpty || connection.input != nil {
      worker.buffers.giveBack(rest)
    } else {
      connection.input = worker.buffers.grow(rest)
    }
  }

  private func releaseUpstream() {
    let isWhole = download.isFinished && download.decoder.framing != .untilClose && download.input.isEmpty
    endUpstream(answerIsWhole: failure == nil && isWhole)
  }

  /// Ends the use of the upstream's connection, and keeps it for other requests, or for those of its client, if nothing is
  /// left on it of this one.
  func endUpstream(answerIsWhole: Bool) {
    guard let upstream, let pool else { return }
    if answerIsWhole, answerHead.wantsKeepAlive, upload.isFinished {
      if upstream.isPinned { keepPinned(upstream, of: pool) } else { pool.release(upstream) }
    } else {
      pool.discard(upstream)
    }
    self.upstream = nil
  }

  // MARK: Waiting

  /// Waits for news of either connection, for a decision of somebody else's, or for the deadline.
  ///
  /// - Throws: `clientGone` when there is nobody left to serve, `overdue` when the deadline has passed.
  @inline(__always) func wait(overdue: @autoclosure () -> ExchangeError) async throws(ExchangeError) {
    try check(overdue: overdue())
    await connection.wakeup.wait()
    try check(overdue: overdue())
  }

  /// Lets everybody else have their turn in the middle of something that can go on.
  ///
  /// - Throws: as ``wait(overdue:)`` does.
  func takeTurns(overdue: @autoclosure () -> ExchangeError) async throws(ExchangeError) {
    await worker.loop.yield()
    try check(overdue: overdue())
  }

  /// - Throws: as ``wait(overdue:)`` does.
  func check(overdue: @autoclosure () -> ExchangeError) throws(ExchangeError) {
    if connection.isAborted { throw .draining }
    if connection.stream.peerClosed || connection.stream.hasFailed { throw .clientGone }
    // A transfer that goes on and on sets new deadlines, and would never be overdue.
    if let route, worker.loop.now >= connection.finalDeadline { throw .outOfTime(route) }
    if connection.isOverdue { throw overdue() }
  }
}
