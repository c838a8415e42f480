internal import Bytes
internal import Configuration
internal import HTTPWire
internal import Reactor
internal import Routing
internal import Secrets
internal import Telemetry
internal import Tokens
internal import Upstream

extension Exchange {
  /// Sends the request to the upstream; returns when the first bytes of a response have arrived. Any rest of the body
  /// is sent while the response is relayed.
  func forwardRequest(_ route: ProxyRoute) async throws(ExchangeError) {
    // A request that is sent again has its head already.
    if !upload.isBegun {
      if route.policy.forwardsAuthorization, head.contains(.authorization) { noteConnectionCredentials() }
      offerUpgrade(route)
      try prepareUpload(route)
    }
    if !reuseUpstream(route) { try await connectUpstream(route) }
    while !(try await sendUntilAnswered(route)) {
      // Only a connection that served others before can turn out dead like this, and the next one is new.
      attempt.isRepetition = true
      local.routes[route.index].repeated.increment()
      if upload.bytesSent > 0 { try restartUpload(route) }
      pool.discard(attempt.upstream!)
      attempt.upstream = nil
      try await connectUpstream(route)
    }
  }

  // MARK: Writing the request

  private func prepareUpload(_ route: ProxyRoute) throws(ExchangeError) {
    upload.begin(
      head.framing, input: head.framing == .none ? buffers.empty : bufferForContent(),
      output: buffers.lendForHead(ofAbout: head.length + Self.roomForOwnFields), framing: head.framing,
      passesTrailers: passesTrailers(route), limit: route.policy.bodyLimit, kept: keptContent(route))
    do throws(ExchangeError) { try writeRequestHead(route, to: upload.output) } catch {
      // While memory is short the buffer may be too small for a long token.
      guard upload.growOutput() else { throw error }
      try writeRequestHead(route, to: upload.output)
    }
    takeEarlyContent()
  }

  // What the proxy adds to a head: a token of usual length, Via, Host.
  private static var roomForOwnFields: Int { 2048 }

  /// An empty buffer that has room for what arrived with the head.
  func bufferForContent() -> ByteBuffer {
    buffers.lendForContent(atLeast: (connection.input?.count ?? 0) - head.length)
  }

  /// Moves what arrived with the head to where the rest of the body will arrive: the head itself is still needed.
  func takeEarlyContent() {
    // Without a body, bytes after the head belong to whatever follows the request.
    guard head.framing != .none, head.framing != .length(0), let input = connection.input else { return }
    let headEnd = input.start + head.length
    upload.input.append(input.bytes(headEnd..<input.end))
    input.truncate(to: headEnd)
  }

  /// Whether trailers are forwarded: not if Connection may name one, if one could get around a rule, or if one could be
  /// taken for the token.
  private func passesTrailers(_ route: ProxyRoute) -> Bool {
    !head.hasConnectionOptions && !route.policy.rules.canBeOverridden && route.policy.tokenHeader == nil
  }

  /// Where the request's body is kept, if it is small enough to be sent again: after a response that asks for that, or,
  /// if the method allows it, because the connection turned out dead.
  private func keptContent(_ route: ProxyRoute) -> KeptContent? {
    let limit = head.methodKind.isIdempotent ? route.policy.repeatBuffer : route.policy.replayBuffer
    switch head.framing {
    case .length(let length) where length > 0 && length <= UInt64(limit): break
    case .chunked where limit > 0: break
    default: return nil
    }
    return KeptContent(buffers, limit: limit)
  }

  /// Begins the request again.
  private func restartUpload(_ route: ProxyRoute) throws(ExchangeError) {
    upload.rewind()
    try writeRequestHead(route, to: upload.output)
  }

  func writeRequestHead(_ route: ProxyRoute, to outbound: ByteBuffer) throws(ExchangeError) {
    let input = requestInput
    let bytes = input.readableBytes
    var writer = HeadWriter(outbound)
    writer.beginRequest(method: bytes.extracting(head.method.range))
    writeTarget(&writer, bytes, route)
    writer.endRequestLine()
    let hostLine = route.destination.hostLine
    writer.lines(hostLine.span)
    var dropped = droppedFields(route)
    if head.contains(.destination), let destination = try mappedDestination(route, bytes) {
      writer.field("Destination", destination.span)
      dropped.insert(.destination)
    }
    writer.forwardFields(of: head, bytes, dropping: dropped, alsoDropping: route.policy.tokenHeader)
    if head.framing == .chunked { writer.chunkedFraming() }
    if let remainingForwards = request.remainingForwards { writer.field("Max-Forwards", remainingForwards) }
    if head.acceptsTrailers { writer.field("TE", "trailers" as StaticString) }
    if !offeredProtocols.isEmpty {
      writer.upgrade(to: offeredProtocols, bytes, besideTE: head.acceptsTrailers)
    } else if head.acceptsTrailers {
      writer.field("Connection", "TE" as StaticString)
    }
    if let token = bearer.token {
      let prefix = route.policy.tokenPrefix
      token.withToken { writer.line(prefix.span, $0) }
    }
    if request.normalised.contains(.userinfo), let credentials = targetCredentials {
      writeTargetCredentials(&writer, credentials, route)
    }
    if route.policy.hasUsualHead { writeVia(&writer) } else { writeUnusualLines(&writer, route) }
    do throws(WireError) { try writer.end() } catch { throw .headTooLarge }
  }

  private func writeTarget(_ writer: inout HeadWriter, _ bytes: Span<UInt8>, _ route: ProxyRoute) {
    let (target, mountLength) = (receivedTarget, decided.mountLength)
    // "OPTIONS *" is about the server; a proxy on the way gets it as a URL without a path (RFC 9112 section 3.2.4).
    let asksAboutServer = target.form == .asterisk || (target.isWithoutPathAndQuery && head.methodKind == .options)
    if asksAboutServer && route.policy.basePath.isEmpty { return writer.target("*") }
    let basePath = route.policy.basePath
    writer.target(basePath.span)
    let path = Int(target.path.start) + mountLength..<Int(target.path.end)
    if path.isEmpty { writer.target("/") } else { writer.target(bytes.extracting(path)) }
    writer.target(bytes.extracting(Int(target.path.end)..<Int(target.pathAndQuery.end)))
  }

  private func writeVia(_ writer: inout HeadWriter) {
    let pseudonym = viaName.bytes
    writer.via(head.version, pseudonym.span)
  }

  /// If connections are not reused, this tells the upstream (RFC 9112 section 9.6): it need not wait for another
  /// request, and closes the connection itself. A connection that may switch protocols, or that requests authenticate,
  /// stays open.
  @inline(never)
  private func writeUnusualLines(_ writer: inout HeadWriter, _ route: ProxyRoute) {
    if route.policy.requests.hasVia { writeVia(&writer) }
    if route.policy.requests.requestID == .forward { writeRequestID(&writer) }
    if route.policy.isReused || !offeredProtocols.isEmpty || request.authenticatesConnection { return }
    writer.connectionClose()
  }

  /// Writes the user and password of the target as Basic credentials, if the client's own credentials are forwarded and
  /// it sent no others.
  @inline(never)
  private func writeTargetCredentials(_ writer: inout HeadWriter, _ credentials: Secret, _ route: ProxyRoute) {
    guard route.policy.forwardsAuthorization, !head.contains(.authorization) else { return }
    let nothing: [UInt8] = []
    credentials.withBytes { writer.line($0, nothing.span) }
  }

  private func droppedFields(_ route: ProxyRoute) -> FieldNameSet {
    var dropped = FieldNameSet.notForwardedInRequests
    if route.policy.forwardsAuthorization { dropped.remove(.authorization) }
    // An HTTP/1.0 client cannot be sent the 100 that this would bring; without a body there is nothing that the
    // upstream could request (RFC 9110 section 10.1.1); and a request that is sent again with its body need not wait.
    if !head.expectsContinue || !upload.input.isEmpty { dropped.insert(.expect) }
    if request.remainingForwards != nil { dropped.insert(.maxForwards) }
    if route.policy.requests.requestID == .forward { dropped.insert(.requestID) }
    // Trailers that get around a rule would arrive after it was applied.
    if route.policy.rules.canBeOverridden || route.policy.tokenHeader != nil { dropped.insert(.trailer) }
    return dropped
  }

  // MARK: Sending

  /// Returns false if the connection was dead and the upstream cannot have acted on the request.
  @inline(__always) private func sendUntilAnswered(_ route: ProxyRoute) async throws(ExchangeError) -> Bool {
    let (connection, upstream) = (connection!, attempt.upstream!)
    renewDeadline(route)
    // Input on a connection that others have used was checked when it was taken; input on a new one by now is not a response.
    if upstream.earlierRequests == 0 { upstream.stream.isReadable = true }
    while true {
      // Before writing more: writing to an upstream that has responded and closed would cause a reset, and the response
      // would be lost.
      if upstream.stream.isReadable, let began = try answerBegan(on: upstream, route) { return began }
      let progress: BodyRelay.Progress
      do throws(BodyRelay.Failure) {
        progress = try upload.step(from: connection.stream, to: upstream.stream)
      } catch {
        guard case .sink(let reason) = error else { throw uploadError(error) }
        // It may have responded before it closed.
        if let began = try answerBegan(on: upstream, route) { return began }
        return try lost(reason, route)
      }
      if progress.hasMoved { renewDeadline(route) }
      if progress.hasMore {
        try await takeTurns(overdue: uploadTimeout(route))
      } else {
        settle(connection)
        try await waitForUpload(route)
      }
    }
  }

  /// Releases memory that the wait for the response does not need, when the whole request was sent.
  private func settle(_ connection: ClientConnection) {
    guard upload.isFinished else { return }
    upload.settle()
    connection.shrinkInput(buffers)
  }

  /// The time for the next piece of the request's body begins, or, when all of it was sent, the time for the response.
  func renewDeadline(_ route: ProxyRoute) {
    let isSent = upload.isFinished || attempt.uploadIsRefused
    let time = isSent ? route.policy.timeouts.firstByte : route.policy.timeouts.body
    connection.setDeadline(worker.loop.now + time)
  }

  /// Whether the first bytes of a response have arrived; nil while there is nothing.
  private func answerBegan(
    on upstream: UpstreamConnection, _ route: ProxyRoute
  ) throws(ExchangeError) -> Bool? {
    let buffer = buffers.lendForInput()
    switch upstream.stream.receive(into: buffer, limit: buffers.receivedAtMost) {
    case .transferred:
      guard upload.bytesSent > 0 else {
        buffers.giveBack(buffer)
        guard mayRepeat else { throw .upstreamSpokeFirst(route) }
        return false
      }
      outcome.clock.firstByte = worker.loop.now - outcome.clock.start
      attempt.answerInput = buffer
      return true
    case .wouldBlock:
      buffers.giveBack(buffer)
      return nil
    case .endOfStream, .failed(.truncated):
      buffers.giveBack(buffer)
      return try lost("closed without a response", route)
    case .failed(let error):
      buffers.giveBack(buffer)
      return try lost(error.description, route)
    }
  }

  /// The connection is gone: returns false if the request may be sent on another one, throws otherwise.
  private func lost(_ reason: String, _ route: ProxyRoute) throws(ExchangeError) -> Bool {
    if mayRepeat { return false }
    // In TLS 1.3 a server says only after the handshake that it does not accept the client's certificate, or wants one.
    if let alert = attempt.upstream?.alert { throw .upstream(.alert(alert), route) }
    throw .upstreamBroken(reason, route)
  }

  /// Whether the request can be sent again on another connection: it was sent on one that may have been closed already,
  /// and either nothing of it has left, or repeating it has no further effect (RFC 9110 section 9.2.2) and everything
  /// received of it is still here.
  private var mayRepeat: Bool {
    guard let upstream = attempt.upstream, upload.isBegun, upstream.earlierRequests > 0, !attempt.isRepetition else {
      return false
    }
    return upload.bytesSent == 0 || (head.methodKind.isIdempotent && upload.canRewind)
  }

  func uploadError(_ failure: BodyRelay.Failure) -> ExchangeError {
    switch failure {
    case .source: .clientGone
    case .framing(let error): .request(error)
    case .tooLarge: .contentTooLarge(route!)
    case .sink(let reason): .upstreamBroken(reason, route!)
    }
  }

  /// The error if no more of the request goes out, and no response arrives, in time.
  func uploadTimeout(_ route: ProxyRoute) -> ExchangeError {
    upload.isFinished || attempt.uploadIsRefused || upload.waitsForSink ? .upstreamTimeout(route) : .requestTimeout
  }
}
