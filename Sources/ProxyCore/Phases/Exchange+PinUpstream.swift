internal import Bytes
internal import HTTPWire
internal import Reactor
internal import Upstream

// Connections that an upstream authenticates (NTLM, Negotiate) belong to the client that logged on: see UpstreamPin.
extension Exchange {
  /// Notes whether the client's credentials are for the connection that they are sent on.
  func noteConnectionCredentials() {
    guard let input = connection.input else { return }
    authenticatesConnection = head.authenticatesConnection(input.readableBytes)
  }

  /// The connection that belongs to this client, if it leads to where the request goes.
  ///
  /// A request whose Authorization is the proxy's is not made in the client's name, and goes out on a shared one.
  func takePin(_ route: ProxyRoute) -> UpstreamConnection? {
    guard let pin = connection.pin, route.policy.forwardsAuthorization, pin.pool === pool else { return nil }
    connection.pin = nil
    guard pin.caller == caller else {
      // Another caller uses the client's connection now.
      pin.end()
      return nil
    }
    return pin.take()
  }

  /// Keeps `upstream`, on which nothing of this request is left, for the client's next request.
  func keepPinned(_ upstream: UpstreamConnection, of pool: UpstreamPool) {
    let hasNews = upstream.stream.isReadable && upstream.stream.hasUnexpectedInput()
    guard !hasNews, route?.policy.forwardsAuthorization == true else { return pool.discard(upstream) }
    // One for each client: a client that alternates between two upstreams logs on again.
    connection.endPin()
    connection.pin = UpstreamPin(upstream, of: pool, requestedHost, caller: caller, for: connection)
  }

  /// Reads what the response says about the authentication of connections. Where it continues a handshake, the upstream's
  /// connection belongs to the client, whatever field of the request began that.
  func noteChallenge() {
    guard let upstream, let pool, let input = answerInput else { return }
    challenge = answerHead.connectionChallenge(input.readableBytes)
    if challenge == .handshake { pool.pin(upstream) }
  }

  /// Whether a 401 is about who the client is to the upstream, and not about the proxy's token, where both go on.
  var concernsClientCredentials: Bool {
    guard let route, route.policy.forwardsAuthorization else { return false }
    switch challenge {
    case .none: return false
    case .handshake: return true
    // Some servers add the offer to every 401. It is meant for a client that has not logged on.
    case .offer: return authenticatesConnection || upstream?.isPinned != true
    }
  }

  /// Whether the client has to be told that it can log on through this proxy (RFC 4559 section 6); without that, programs
  /// that follow the RFC do not try.
  var announcesPinning: Bool {
    guard challenge != .none, status == 401, let route, route.policy.forwardsAuthorization else { return false }
    return target?.form == .absolute
  }
}
