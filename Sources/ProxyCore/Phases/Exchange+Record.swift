internal import Bytes
internal import Callers
internal import Configuration
internal import HTTPWire
internal import Interception
internal import Reactor
internal import Telemetry
internal import Tokens
internal import Upstream

extension Exchange {
  /// Writes the log line and updates the metrics, once for every exchange.
  func record() {
    let total = Instant.now - outcome.clock.start
    let received = holdings.tunnel?.fromClient.bytesMoved ?? upload.decoder.payloadBytes
    let sent = holdings.tunnel?.fromUpstream.bytesMoved ?? (outcome.hasBegunAnswer ? download.decoder.payloadBytes : 0)
    let route = decision?.route
    let metrics = local.metrics(of: route)
    metrics.count(status: outcome.status)
    // The length of a conversation over a WebSocket is not a response's duration.
    metrics.duration.observe(nanoseconds: outcome.clock.switched ?? total)
    if !request.normalised.isEmpty { metrics.count(request.normalised) }
    if let caller = request.caller { metrics.count(caller: caller, generation.callers) }
    if let firstByte = outcome.clock.firstByte { metrics.firstByte.observe(nanoseconds: firstByte) }
    if received > 0 { metrics.received.increment(by: received) }
    if sent > 0 { metrics.sent.increment(by: sent) }
    if let failure = outcome.failure {
      metrics.count(failure)
      if let limit = failure.limit { worker.metrics.reached(limit) }
    }

    let access = route?.policy.access ?? generation.access
    if case .on = access {} else if !hasLine(access, total) { return }
    accessLog?.write(at: WallClock.now()) { line in
      if let route { line.field(.route, route.name) }
      if request.hasHead || outcome.tunnelRequest != nil { describeRequest(&line) }
      if !request.normalised.isEmpty { line.field(.normalised, request.normalised.names) }
      line.field(.status, outcome.status)
      line.field(.sent, sent)
      line.field(.received, received)
      if outcome.clock.queued > 0 { line.field(.queued, nanoseconds: outcome.clock.queued) }
      line.field(.token, nanoseconds: outcome.clock.token)
      if outcome.clock.throttled > 0 { line.field(.throttled, nanoseconds: outcome.clock.throttled) }
      if let missing = bearer.missing { line.field(.withoutToken, missing) }
      line.field(.connect, nanoseconds: outcome.clock.connect)
      if let firstByte = outcome.clock.firstByte { line.field(.firstByte, nanoseconds: firstByte) }
      line.field(.total, nanoseconds: total)
      if let upstream = attempt.upstream {
        let origin: StaticString = attempt.isOnPinned ? "pinned" : upstream.earlierRequests > 0 ? "reused" : "new"
        line.field(.upstream, origin)
        line.field(.upstreamAddress, upstream.address)
      }
      if decision?.plan == .answerTokenRequest { line.field(.endpoint, "token" as StaticString) }
      if !outcome.replayedAfter.isEmpty {
        line.field(.replayed, outcome.replayedAfter.map(String.init).joined(separator: ","))
      }
      if let apiError = outcome.apiError {
        line.field(.apiError, apiError.code)
        if let description = apiError.description { line.field(.apiErrorDescription, description) }
      }
      line.field(.client, connection.peer)
      if let caller = request.caller, let callers = generation.callers { line.field(.caller, callers.names[caller]) }
      if outcome.tunnelRequest == nil, clientRequestID == nil {
        line.field(.requestId, hexadecimal: request.number)
      } else {
        line.field(.requestId, requestID)
      }
      if let failure = outcome.failure {
        line.field(.error, failure.kind.name)
        if let detail = failure.logDetail { line.field(.detail, detail) }
        line.field(.hint, failure.hint)
      } else if outcome.status == 401 || outcome.status == 403, let route {
        line.field(.hint, apiRefusalHint(route))
      }
    }
  }

  @inline(never) private func apiRefusalHint(_ route: ProxyRoute) -> String {
    let credentials: APIRefusalHint.Credentials =
      if bearer.token != nil, let source = bearer.source {
        .token(source.grant.summary)
      } else if let reason = bearer.missing {
        .missing(reason: reason)
      } else if request.hasHead, head.contains(.authorization) {
        .clientOwn
      } else {
        .none
      }
    return APIRefusalHint.text(status: outcome.status, outcome.apiError, credentials, route: route.name)
  }

  /// Whether the request gets a line in an access log that does not contain all.
  @inline(never) private func hasLine(_ access: AccessLogging, _ total: UInt64) -> Bool {
    switch access {
    case .on: return true
    case .off: return false
    default: break
    }
    if outcome.failure != nil || outcome.status >= 500 || outcome.apiError != nil { return true }
    return switch access {
    case .slow(let least): total >= Interval(least).nanoseconds
    case .sample(let millionths): worker.accessLog?.takesSample(millionths: UInt64(millionths)) ?? false
    default: false
    }
  }

  private func describeRequest(_ line: inout LogLine) {
    if let tunnelRequest = outcome.tunnelRequest {
      line.field(.method, tunnelRequest.method)
      line.field(.host, tunnelRequest.host)
      if let path = tunnelRequest.path { line.field(.path, path) }
      if let protocols = tunnelRequest.protocols { line.field(.upgrade, protocols) }
      return
    }
    guard let input = connection.input else { return }
    let bytes = input.readableBytes
    line.field(.method, bytes.extracting(head.method.range))
    let target = request.target
    if let host = target?.authority?.host ?? head.host { line.field(.host, bytes.extracting(host.range)) }
    // The query is left out: applications put secrets there.
    if let target, target.form != .authority { line.field(.path, bytes.extracting(target.path.range)) }
  }
}
