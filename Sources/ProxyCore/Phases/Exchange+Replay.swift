internal import Bytes
internal import Configuration
internal import HTTPWire
internal import Reactor
internal import Telemetry
internal import Tokens
internal import Upstream

extension Exchange {
  /// Whether sending the request again may help after this response, and all of the request is still here.
  ///
  /// What the client sends of a handshake is valid once, and on one connection: only the client can repeat such a request.
  private func mayReplay(_ route: ProxyRoute) -> Bool {
    if refusesToken(route) {
      // Once, whatever the status.
      let wasReplaced = outcome.replayedAfter.contains { $0 < 429 }
      return !wasReplaced && upload.canRewind && !request.authenticatesConnection
    }
    switch answerHead.status {
    case 429, 503:
      return !request.authenticatesConnection && route.policy.throttling != nil && mayWaitOut(route.policy.throttling!)
        && upload.canRewind
    default: return false
    }
  }

  /// Whether the response rejects the token: any 401, and `invalid_token` with 400 or 403 (RFC 6750 section 3.1).
  /// `insufficient_scope` is about the route's scopes: no other token would help.
  private func refusesToken(_ route: ProxyRoute) -> Bool {
    guard bearer.token != nil, route.policy.replaysUnauthorized, !concernsClientCredentials else { return false }
    switch answerHead.status {
    case 401: return outcome.apiError?.code != "insufficient_scope"
    case 400, 403: return outcome.apiError?.code == "invalid_token"
    default: return false
    }
  }

  /// Handles an error from the upstream for the token and for the request: true if the request is to be sent again, and
  /// everything needed is here.
  @inline(never) func replaysAfterError(_ route: ProxyRoute) async throws(ExchangeError) -> Bool {
    if answerHead.status <= 403 { noteRefusal(route) }
    if mayReplay(route), try await prepareReplay(route) { return true }
    if let replacement = bearer.replacement { local.routes[route.index].passedOn(replacement) }
    return false
  }

  /// Tells the source that the upstream has accepted the token.
  @inline(never) func noteAcceptance(_ route: ProxyRoute) {
    guard let token = bearer.token, let source = bearer.source else { return }
    source.accepted(token, at: tokenPlace(route))
  }

  /// Tells the source if the upstream rejected the token, even if this request cannot be sent again: other requests
  /// wait for another token too.
  private func noteRefusal(_ route: ProxyRoute) {
    guard let token = bearer.token, let source = bearer.source else { return }
    if answerHead.contains(.wwwAuthenticate), let input = attempt.answerInput {
      outcome.apiError = answerHead.bearerError(input.readableBytes)
    }
    let isRefusal = refusesToken(route)
    // An API's error message may contain the token, and this goes into the log.
    if outcome.apiError?.repeats(token) == true { outcome.apiError = nil }
    bearer.replacement = isRefusal ? source.refused(token, at: tokenPlace(route)) : nil
  }

  private func tokenPlace(_ route: ProxyRoute) -> TokenPlace {
    let bytes = requestInput.readableBytes
    return TokenPlace(
      route: route.index, method: bytes.extracting(head.method.range), path: bytes.extracting(receivedTarget.path.range)
    )
  }

  /// Gets what the request needs to be sent again; if false, the client gets this response. Until that is known, the
  /// response's body stays unread.
  private func prepareReplay(_ route: ProxyRoute) async throws(ExchangeError) -> Bool {
    do throws(ExchangeError) {
      let isReady = refusesToken(route) ? try await replaceToken(route) : try await waitOutThrottling(route)
      guard isReady else { return false }
    } catch {
      if error.kind == .client(.gone) { throw error }
      // Whatever else went wrong, the upstream's own response is worth more than one of the proxy's.
      return false
    }
    local.routes[route.index].replayed(after: answerHead.status)
    outcome.replayedAfter.append(answerHead.status)
    endRefusedAttempt()
    upload.rewind()
    try writeRequestHead(route, to: upload.output)
    return true
  }

  /// Replaces the token that the upstream rejected; false if there is no other.
  private func replaceToken(_ route: ProxyRoute) async throws(ExchangeError) -> Bool {
    guard let source = bearer.source, let refused = bearer.token else { return false }
    if bearer.replacement?.isWanted != true {
      // There may be another one already. If not, the source decided not to replace this one.
      guard let current = source.current(), current !== refused else { return false }
      bearer.token = current
    } else {
      // The first of the requests that got 401 starts the fetch; the others wait for it.
      bearer.token = try await waitForToken(source, insteadOf: refused, route)
    }
    bearer.replacement = nil
    bearer.isOnTrial = true
    return true
  }

  /// Gives back the connection of a response that is not forwarded. It is reused if the rest of the response has
  /// arrived.
  private func endRefusedAttempt() {
    endUpstream(answerIsWhole: answerIsHere())
    buffers.takeBack(&attempt.answerInput)
    attempt = Attempt()
  }

  /// Whether the response's body ends within what can be read without waiting, one buffer at most.
  private func answerIsHere() -> Bool {
    guard let input = attempt.answerInput, let upstream = attempt.upstream else { return false }
    var decoder = BodyDecoder(answerHead.framing(answering: head.methodKind))
    input.consume(answerHead.length)
    do throws(WireError) {
      while true {
        while !decoder.isFinished, !input.isEmpty { input.consume(try decoder.step(input.readableBytes).consumed) }
        if decoder.isFinished { return input.isEmpty }
        guard decoder.payloadBytes < UInt64(input.capacity),
          case .transferred = upstream.stream.receive(into: input)
        else { return false }
      }
    } catch {
      return false
    }
  }
}

extension Exchange {
  /// Whether a request that was throttled may be sent again at all. After a 503 the upstream may have begun it, so the
  /// method must allow a repetition.
  func mayWaitOut(_ throttling: Throttling) -> Bool {
    guard outcome.replayedAfter.count(where: { $0 >= 429 }) < throttling.attempts else { return false }
    return answerHead.status == 429 || head.methodKind.isIdempotent
  }

  /// Waits as long as the response says; false if it says nothing, or a longer time than the route allows, or the
  /// program begins to stop meanwhile.
  func waitOutThrottling(_ route: ProxyRoute) async throws(ExchangeError) -> Bool {
    guard let throttling = route.policy.throttling, let input = attempt.answerInput,
      let seconds = answerHead.retryDelay(input.readableBytes, now: WallClock.now() / 1_000_000_000),
      .seconds(seconds) <= throttling.wait
    else { return false }
    let began = worker.loop.now
    let end = began + .seconds(seconds)
    guard end < connection.finalDeadline else { return false }
    let metrics = local.routes[route.index]
    metrics.waitingForThrottling.add()
    defer {
      metrics.waitingForThrottling.subtract()
      outcome.clock.throttled += worker.loop.now - began
    }
    connection.setDeadline(end)
    while worker.loop.now < end {
      if connection.isEnding { return false }
      try check(overdue: .outOfTime(route))
      await connection.wakeup.wait()
    }
    // A deadline that passes is the normal end of this wait.
    connection.setDeadline(.never)
    try check(overdue: .outOfTime(route))
    return true
  }
}

extension BearerError {
  /// Whether it contains the token, or something that looks like one.
  fileprivate func repeats(_ token: AccessToken) -> Bool {
    let texts = [code, description ?? "", scope ?? ""]
    if texts.contains(where: { $0.utf8.count > Self.longestWithoutToken && !$0.utf8.contains(UInt8(ascii: " ")) }) {
      return true
    }
    return token.withToken { bytes in
      texts.contains { Self.share(Array($0.utf8), bytes) }
    }
  }

  private static var longestWithoutToken: Int { 64 }
  private static var longestInCommon: Int { 8 }

  /// Whether `text` contains a piece of `token` that is too long to be there by chance.
  private static func share(_ text: [UInt8], _ token: Span<UInt8>) -> Bool {
    let length = min(longestInCommon, token.count)
    guard length > 0, text.count >= length else { return false }
    let pieces = Set((0...(text.count - length)).map { text[$0..<$0 + length] })
    return (0...(token.count - length)).contains { start in
      pieces.contains(ArraySlice((start..<start + length).map { token[$0] }))
    }
  }
}
