internal import Bytes
internal import Configuration
internal import HTTPWire
internal import Reactor
internal import Upstream

extension Exchange {
  /// Reads the head of the upstream's response, or of the 101 after which HTTP ends; interim responses before it are
  /// forwarded as they arrive.
  func readAnswer(_ route: ProxyRoute) async throws(ExchangeError) {
    var outbound = holdings.answerOutput ?? buffers.lendForHead(ofAbout: Self.usualHead)
    holdings.answerOutput = outbound
    var interimAnswers = 0
    var interimBytes = 0
    try await readAnswerHead(outbound, route)
    // While memory is short, the buffer is as large as the head needs, with everything that may be added to it.
    if needsRoom(outbound) { outbound = roomForAnswer(outbound) }
    while answerHead.isInterim {
      if hasSwitched { return try checkSwitch(route) }
      interimAnswers += 1
      interimBytes += answerHead.length
      // A slow job may send many of them; only their size is bounded.
      guard interimBytes <= Self.mostInterimBytes else { throw .response(.interimsTooLarge, route) }
      try passOnInterim(outbound, route)
      if !outbound.isEmpty { try await deliverInterim(outbound, route) }
      renewDeadline(route)
      if interimAnswers % Self.interimAnswersInARow == 0 { try await takeTurns(overdue: uploadTimeout(route)) }
      try await readAnswerHead(outbound, route)
      if needsRoom(outbound) { outbound = roomForAnswer(outbound) }
      // Of the response, not of interim responses before it.
      outcome.clock.firstByte = worker.loop.now - outcome.clock.start
    }
    attempt.challenge = .none
    if answerHead.concernsConnection { noteConnection() }
  }

  /// Forwards the upstream's response, framed for this client.
  func relayResponse(_ route: ProxyRoute) async throws(ExchangeError) {
    // Nothing here may keep the buffers: the relay gives them back while it waits.
    try startDownload(route)
    try await relayContent(route)
    outcome.ending = !closesAfterAnswer ? .keepsConnection : isClientsLast ? .endsConnection : .closesConnection
  }

  /// Whether the client has sent everything that it will ever send (RFC 9112 section 9.6).
  private var isClientsLast: Bool { head.asksToClose && upload.isFinished }

  /// Whether `outbound` may be too small for the head as the client gets it. Links may become longer by any factor.
  @inline(__always) private func needsRoom(_ outbound: ByteBuffer) -> Bool {
    answerHead.hasLinks || answerHead.length * 2 + Self.roomForOwnFields > outbound.freeSpace
  }

  /// A buffer with room for the head as the client gets it, replacing `outbound`.
  @inline(never)
  private func roomForAnswer(_ outbound: ByteBuffer) -> ByteBuffer {
    guard outbound.capacity < buffers.headCapacity else { return outbound }
    let needed = outbound.count + answerHead.length * 2 + Self.roomForOwnFields
    let larger =
      answerHead.hasLinks ? buffers.grow(outbound) : buffers.enlarge(outbound, toHold: needed)
    holdings.answerOutput = larger
    return larger
  }

  /// Makes room for the rest of the head after the end of `input`, which may have begun small.
  @inline(never)
  private func makeRoomForHead(_ input: ByteBuffer) {
    input.compact()
    if input.freeSpace == 0 { attempt.answerInput = buffers.extend(input) }
  }

  private static var usualHead: Int { 4096 }
  // What the proxy adds to a response: Via, Date, framing.
  private static var roomForOwnFields: Int { 1024 }

  // The total size of the heads of interim responses, which nothing else bounds.
  private static var mostInterimBytes: Int { 1 << 20 }
  // After this many without a wait other tasks run.
  private static var interimAnswersInARow: Int { 16 }

  // MARK: The head

  @inline(__always)
  private func readAnswerHead(_ outbound: ByteBuffer, _ route: ProxyRoute) async throws(ExchangeError) {
    var parser = ResponseHeadParser(limits: generation.responseHeadLimits)
    while let input = attempt.answerInput {
      do throws(WireError) {
        if try parser.parse(input.readableBytes, into: &parsedAnswerHead) { return attempt.hasAnswerHead = true }
      } catch {
        throw .response(error, route)
      }
      if input.freeSpace == 0 { makeRoomForHead(input) }
      try await receiveAnswer(into: attempt.answerInput!, outbound, route)
    }
  }

  /// Waits for more of the head; meanwhile forwards the request's body and interim responses.
  private func receiveAnswer(
    into input: ByteBuffer, _ outbound: ByteBuffer, _ route: ProxyRoute
  ) async throws(ExchangeError) {
    while true {
      switch attempt.upstream!.stream.receive(into: input) {
      case .transferred:
        return
      case .wouldBlock:
        try flush(outbound)
        let progress = try continueUpload()
        if progress.hasMoved { renewDeadline(route) }
        if progress.hasMore {
          try await takeTurns(overdue: uploadTimeout(route))
        } else {
          try await waitForUpload(route)
        }
      case .endOfStream, .failed(.truncated):
        throw .upstreamBroken("closed in the middle of the head of its response", route)
      case .failed(let error):
        throw .upstreamBroken(error.description, route)
      }
    }
  }

  /// Waits until a slow client has taken the interim responses so far, so that they never need more than one buffer.
  /// The client may read nothing before it has sent its body, so that is forwarded meanwhile.
  @inline(never)
  private func deliverInterim(_ outbound: ByteBuffer, _ route: ProxyRoute) async throws(ExchangeError) {
    connection.setDeadline(worker.loop.now + route.policy.timeouts.body)
    while true {
      let unsent = outbound.count
      try flush(outbound)
      if outbound.isEmpty { return }
      let progress = try continueUpload()
      if progress.hasMoved || outbound.count < unsent {
        connection.setDeadline(worker.loop.now + route.policy.timeouts.body)
      }
      if progress.hasMore {
        try await takeTurns(overdue: .clientGone)
      } else {
        try await wait(overdue: .clientGone)
      }
    }
  }

  /// Puts an interim response before the client's response; an HTTP/1.0 client understands none. With `interim: drop`,
  /// only 100 is forwarded, which the client may wait for.
  private func passOnInterim(_ outbound: ByteBuffer, _ route: ProxyRoute) throws(ExchangeError) {
    guard let input = attempt.answerInput else { return }
    defer { input.consume(answerHead.length) }
    guard head.version == .http11, answerHead.status == 100 || route.policy.requests.interim == .forward else { return }
    let bytes = input.readableBytes
    var writer = HeadWriter(outbound)
    writer.statusLine(answerHead.status, reason: bytes.extracting(answerHead.reason.range))
    writer.forwardFields(of: answerHead, bytes, links: linkMap(route))
    let pseudonym = viaName.bytes
    writer.via(answerHead.version, pseudonym.span)
    do throws(WireError) { try writer.end() } catch { throw .response(error, route) }
    try flush(outbound)
  }

  /// Sends waiting interim responses; what cannot be sent now is sent later, or before the next head.
  private func flush(_ outbound: ByteBuffer) throws(ExchangeError) {
    while !outbound.isEmpty, connection.stream.isWritable {
      if case .failed = connection.stream.send(from: outbound) { throw .clientGone }
    }
    // After half an interim response only the other half can follow.
    outcome.hasBegunAnswer = !outbound.isEmpty
  }

  private func startDownload(_ route: ProxyRoute) throws(ExchangeError) {
    // Taken out, so that they move into the relay without reference counts.
    guard let input = attempt.answerInput.take(), let outbound = holdings.answerOutput.take() else { return }
    let received = answerHead.framing(answering: head.methodKind)
    var sent = received
    if received == .chunked || received == .untilClose { sent = head.version == .http11 ? .chunked : .untilClose }
    outcome.status = answerHead.status

    let bytes = input.readableBytes
    var writer = HeadWriter(outbound)
    writer.statusLine(answerHead.status, reason: bytes.extracting(answerHead.reason.range))
    // Trailers are announced only if they can follow.
    let dropped = FieldNameSet.notForwardedInResponses
    writer.forwardFields(
      of: answerHead, bytes, dropping: received == .chunked && sent != .chunked ? dropped.union([.trailer]) : dropped,
      links: linkMap(route))
    if !answerHead.hasDate { writer.field("Date", worker.httpDate.span) }
    if sent == .chunked { writer.chunkedFraming() }
    let pseudonym = viaName.bytes
    writer.via(answerHead.version, pseudonym.span)
    let closes = closesAfterAnswer || sent == .untilClose
    if closes { writer.connectionClose() } else if announcesPinning { writer.sessionBasedAuthentication() }
    do throws(WireError) { try writer.end() } catch {
      attempt.answerInput = input
      holdings.answerOutput = outbound
      throw .response(error, route)
    }
    input.consume(answerHead.length)
    download.begin(
      received, input: input, output: outbound, framing: sent,
      passesTrailers: !answerHead.hasConnectionOptions)
    endExpectingMemory()
  }

  /// Whether the client's connection ends with this response: the client wants that, the program is stopping, the
  /// connection has carried as many requests as it may, or the request's body will not be read to its end.
  private var closesAfterAnswer: Bool {
    if !head.wantsKeepAlive || connection.isEnding || connection.isLastRequest || isAheadOfUpgrade { return true }
    guard upload.isBegun, !upload.isFinished else { return false }
    return outcome.status >= 400 || download.isBegun
  }

  // MARK: The body

  @inline(__always) private func relayContent(_ route: ProxyRoute) async throws(ExchangeError) {
    setContentDeadline(route)
    while true {
      let progress: BodyRelay.Progress
      do throws(BodyRelay.Failure) {
        defer { if download.bytesSent > 0 { outcome.hasBegunAnswer = true } }
        progress = try download.step(from: attempt.upstream!.stream, to: connection.stream)
      } catch {
        throw downloadError(error, route)
      }
      if download.isFinished { return }
      let uploadProgress = try continueUpload()
      if progress.hasMoved || uploadProgress.hasMoved { setContentDeadline(route) }
      if progress.hasMore || uploadProgress.hasMore {
        try await takeTurns(overdue: downloadTimeout(route))
      } else {
        try await waitForDownload(route)
      }
    }
  }

  /// Forwards the rest of the request's body. If the upstream takes no more of it, its response says why.
  func continueUpload() throws(ExchangeError) -> BodyRelay.Progress {
    let nothing = BodyRelay.Progress(hasMoved: false, hasMore: false)
    guard !attempt.uploadIsRefused, !upload.isFinished else { return nothing }
    do throws(BodyRelay.Failure) {
      return try upload.step(from: connection.stream, to: attempt.upstream!.stream)
    } catch {
      guard case .sink = error else { throw uploadError(error) }
      attempt.uploadIsRefused = true
      return nothing
    }
  }

  private func downloadError(_ failure: BodyRelay.Failure, _ route: ProxyRoute) -> ExchangeError {
    switch failure {
    // Responses have no limit.
    case .sink, .tooLarge: .clientGone
    case .source(let reason):
      outcome.hasBegunAnswer ? .responseIncomplete(reason) : .upstreamBroken(reason, route)
    case .framing(let error):
      outcome.hasBegunAnswer ? .responseIncomplete(error.message) : .response(error, route)
    }
  }

  func downloadTimeout(_ route: ProxyRoute) -> ExchangeError {
    download.waitsForSink ? .clientGone : .responseIncomplete("no more of it came in time")
  }
}

extension Exchange {
  /// What replaces references in the response that lead to the upstream; nil if none of them change.
  func linkMap(_ route: ProxyRoute) -> LinkMap? {
    guard answerHead.hasLinks, decided.isMounted || route.policy.requests.linkRewriting == .on,
      let upstream = route.destination.links
    else { return nil }
    let (target, input, mountLength) = (receivedTarget, requestInput, decided.mountLength)
    let bytes = input.readableBytes
    let mount = Int(target.path.start)..<Int(target.path.start) + mountLength
    return LinkMap(
      upstream, scheme: clientScheme(target), authority: target.authority ?? head.authority, bytes,
      mount: bytes.extracting(mount))
  }

  /// The scheme of the URL that the client uses.
  func clientScheme(_ target: RequestTarget) -> RequestTarget.Scheme {
    target.scheme ?? (connection.isSecure ? .https : .http)
  }
}
