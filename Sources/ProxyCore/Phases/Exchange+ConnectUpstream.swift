internal import Bytes
internal import Callers
internal import Configuration
internal import HTTPWire
internal import Reactor
internal import Telemetry
internal import Upstream

extension Exchange {
  /// Finds the pool of connections to the upstream: that of the route, or, if each request goes to the host that it
  /// names, that of the host. Returns the route as it leads there.
  func chooseUpstream(_ route: ProxyRoute) throws(ExchangeError) -> ProxyRoute {
    if let index = route.destination.pool {
      holdings.pool = local.pools[index]
      return route
    }
    let origin = requestedOrigin
    let (hosts, most) = (local.requestedHosts, route.policy.hostsPerClient)
    guard let host = hosts.enter(route.policy.destination(origin), for: clientKey, most: most) else {
      throw .tooManyHosts(route, ofClient: hosts.isAtShare(clientKey, most: most))
    }
    holdings.requestedHost = host
    holdings.pool = host.pool
    let leading = host.route(route, to: origin)
    decision!.route = leading
    return leading
  }

  /// The server of the host that the target names, by https, or, for a tunnel, by plain TCP: in the form in which hosts
  /// are compared, so that each has one upstream.
  private var requestedOrigin: Origin {
    if let tunnel = connection.tunnelTarget {
      return Origin(scheme: .https, host: tunnel.hostText, port: tunnel.port == 80 ? nil : tunnel.port)
    }
    let target = receivedTarget
    // Only a request with a host in its target matches a wildcard.
    guard let authority = target.authority else { preconditionFailure("a request below a wildcard names its host") }
    let port = authority.port ?? (target.scheme ?? .http).defaultPort
    let host = text(of: authority.nameWithoutDot).lowercased()
    if target.form == .authority { return Origin(scheme: .http, host: host, port: port) }
    // Port 80 is plain HTTP's, and counts as not named.
    return Origin(scheme: .https, host: host, port: port == 80 ? nil : port)
  }
}

// MARK: - Connecting

extension Exchange {
  /// Takes an open connection to the upstream: the one reserved for the client, or an idle one of the pool; false if
  /// there is none.
  func reuseUpstream(_ route: ProxyRoute) -> Bool {
    let pinned = connection.pin != nil ? takePin(route) : nil
    guard let upstream = pinned ?? pool.reuse(for: clientKey, most: route.policy.connectionsPerClient) else {
      return false
    }
    attempt.isOnPinned = pinned != nil
    local.routes[route.index].reused.increment()
    use(upstream)
    return true
  }

  /// Waits for a connection to the upstream, a new one if the request is sent again.
  func connectUpstream(_ route: ProxyRoute) async throws(ExchangeError) {
    let pool = pool
    let metrics = local.routes[route.index]
    let began = Instant.now
    let lease = UpstreamLease(
      connectTimeout: route.policy.timeouts.connect, client: clientKey, most: route.policy.connectionsPerClient,
      wakeup: connection.wakeup)
    // The attempt has its own timeout, and knows better what it waited for.
    connection.setDeadline(began + route.policy.timeouts.connect + .seconds(1))
    // The client must not wait for a connection that it holds itself, nor be rejected because of it.
    if let pin = connection.pin, pin.pool === pool, !pool.hasRoom(for: lease) { connection.endPin() }
    pool.request(lease, mustBeNew: attempt.isRepetition)
    // Neither made nor refused: it waits for a connection that is in use.
    if lease.outcome == nil, lease.attempt == nil {
      worker.metrics.reached(.upstreamConnections)
      connection.setDeadline(began + route.policy.timeouts.connect)
    }
    do throws(ExchangeError) {
      while lease.outcome == nil { try await wait(overdue: connectTimeout(lease, route)) }
    } catch {
      pool.abandon(lease)
      throw error
    }
    attempt.isOnPinned = false
    outcome.clock.connect += Instant.now - began
    metrics.connect.observe(nanoseconds: outcome.clock.connect)
    switch lease.outcome! {
    case .success(let connection):
      if connection.earlierRequests == 0 { metrics.opened.increment() } else { metrics.reused.increment() }
      use(connection)
    case .failure(let error):
      throw .upstream(error, route)
    }
  }

  private func connectTimeout(_ lease: UpstreamLease, _ route: ProxyRoute) -> ExchangeError {
    guard lease.attempt != nil else { return .upstream(pool.isAtShare(lease) ? .clientShare : .exhausted, route) }
    return .upstream(.connectTimeout("most of the time was spent waiting for another connection to be free"), route)
  }

  private func use(_ upstream: UpstreamConnection) {
    if request.authenticatesConnection { pool.pin(upstream) }
    upstream.stream.observer = connection.wakeup
    attempt.upstream = upstream
  }
}

// MARK: - Pins

// Connections that an upstream authenticates (NTLM, Negotiate) belong to the client that logged on: see UpstreamPin.
extension Exchange {
  /// Notes whether the client's credentials authenticate the connection that they are sent on.
  func noteConnectionCredentials() {
    let input = requestInput
    request.authenticatesConnection = head.authenticatesConnection(input.readableBytes)
  }

  /// The connection reserved for this client, if it leads to where the request goes.
  ///
  /// A request whose Authorization is the proxy's is not made in the client's name, and uses a shared connection.
  func takePin(_ route: ProxyRoute) -> UpstreamConnection? {
    guard let pin = connection.pin, route.policy.forwardsAuthorization, pin.pool === pool else { return nil }
    connection.pin = nil
    guard pin.caller == callerName else {
      // Another caller uses the client's connection now.
      pin.end()
      return nil
    }
    return pin.take()
  }

  private var callerName: String? { request.caller.flatMap { generation.callers?.names[$0] } }

  /// Reserves `upstream`, on which nothing of this request is left, for the client's next request.
  func keepPinned(_ upstream: UpstreamConnection, of pool: UpstreamPool) {
    let hasNews = upstream.stream.isReadable && upstream.stream.hasUnexpectedInput()
    guard !hasNews, route?.policy.forwardsAuthorization == true else { return pool.discard(upstream) }
    // One for each client: a client that alternates between two upstreams logs on again.
    connection.endPin()
    connection.pin = UpstreamPin(
      upstream, of: pool, holdings.requestedHost, in: local.requestedHosts, caller: callerName, for: connection)
  }

  /// Reads what the response says about its connection: how long it is kept, and whether requests authenticate it. If
  /// the response continues a handshake, the connection belongs to the client, whichever field of the request began it.
  @inline(never) func noteConnection() {
    guard let upstream = attempt.upstream, let input = attempt.answerInput else { return }
    if answerHead.contains(.keepAlive) {
      let said = answerHead.keepAlive(input.readableBytes)
      upstream.noteAnnounced(idle: said.timeout, requests: said.requests)
    }
    if answerHead.contains(.wwwAuthenticate) {
      attempt.challenge = answerHead.connectionChallenge(input.readableBytes)
      if attempt.challenge == .handshake { pool.pin(upstream) }
    }
  }

  /// If both the client's credentials and the proxy's token are forwarded: whether a 401 is about the client's, not
  /// about the token.
  var concernsClientCredentials: Bool {
    guard let route, route.policy.forwardsAuthorization else { return false }
    switch attempt.challenge {
    case .none: return false
    case .handshake: return true
    // Some servers add the offer to every 401. It is for clients that have not logged on.
    case .offer: return request.authenticatesConnection || attempt.upstream?.isPinned != true
    }
  }

  /// Whether to tell the client that it can log on through this proxy (RFC 4559 section 6); otherwise programs that
  /// follow the RFC do not try.
  var announcesPinning: Bool {
    guard attempt.challenge != .none, outcome.status == 401, let route, route.policy.forwardsAuthorization else {
      return false
    }
    return request.target?.form == .absolute
  }
}
