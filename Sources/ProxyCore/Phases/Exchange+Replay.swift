internal import Bytes
internal import HTTPWire
internal import Reactor
internal import Tokens
internal import Upstream

extension Exchange {
  /// Whether the answer is one after which sending the request again may help, and all of the request is still here.
  ///
  /// What the client sends of a handshake means something once, and on one connection: such a request is the client's to
  /// repeat.
  var mayReplay: Bool {
    switch answerHead.status {
    case 401:
      token != nil && route!.policy.replaysUnauthorized && !replayedAfter.contains(401) && upload.canRewind
        && !authenticatesConnection && !concernsClientCredentials
    case 429, 503:
      !authenticatesConnection && route!.policy.throttling != nil && mayWaitOut(route!.policy.throttling!)
        && upload.canRewind
    default: false
    }
  }

  /// Lets go of a token that the upstream did not accept, for this request and all others, whether or not this one can be
  /// sent again.
  func dropRefusedToken() {
    guard answerHead.status == 401, let token, let route, route.policy.replaysUnauthorized, !concernsClientCredentials
    else {
      return
    }
    tokens?.invalidate(token)
  }

  /// Gets what the request needs to be sent again; false if it cannot be had, and then the answer that is there is the
  /// one that the client gets. Until that is known, the answer's content stays unread.
  func prepareReplay() async throws(ExchangeError) -> Bool {
    guard let route else { return false }
    do throws(ExchangeError) {
      let isReady = answerHead.status == 401 ? try await replaceToken(route) : try await waitOutThrottling(route)
      guard isReady else { return false }
    } catch {
      if case .clientGone = error { throw error }
      // Whatever else went wrong, the answer of the upstream itself is worth more than one of the proxy's.
      return false
    }
    worker.metrics.routes[route.index].replayed(after: answerHead.status)
    replayedAfter.append(answerHead.status)
    endRefusedAttempt()
    upload.rewind()
    try writeRequestHead(route, to: upload.output)
    return true
  }

  /// Puts another token in the place of the one that the upstream did not accept; false if there is none.
  private func replaceToken(_ route: ProxyRoute) async throws(ExchangeError) -> Bool {
    guard let source = tokens, let refused = token else { return false }
    guard let current = source.current() else {
      // Whoever of those that got 401 comes first has it fetched; the others wait with it.
      token = try await waitForToken(source, route)
      return true
    }
    // The source keeps a token that it does not find worth replacing.
    guard current !== refused else { return false }
    token = current
    return true
  }

  /// Gives back the connection of an answer that nobody will see. It serves others if the rest of the answer is here.
  private func endRefusedAttempt() {
    endUpstream(answerIsWhole: answerIsHere())
    worker.buffers.takeBack(&answerInput)
    uploadIsRefused = false
    isRepetition = false
  }

  /// Whether the answer's content ends in what can be read without waiting, one buffer of it at most.
  private func answerIsHere() -> Bool {
    guard let input = answerInput, let upstream else { return false }
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
