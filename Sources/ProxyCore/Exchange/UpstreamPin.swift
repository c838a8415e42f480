internal import Reactor
internal import Upstream

/// An upstream connection that is reserved for the next request of one client.
///
/// With NTLM, Negotiate and similar schemes the upstream authenticates the connection. So the client's next requests,
/// on its own connection, must go out on the same one, and no other client's requests may. The pin ends with the
/// client's connection, or when the upstream closes or sends something unrequested.
final class UpstreamPin: ReadinessObserver {
  /// The pool of connections to the same upstream, in which it counts as in use.
  let pool: UpstreamPool
  /// The name of the caller that it was authenticated for; nil if unknown.
  let caller: String?
  private let upstream: UpstreamConnection
  private let host: RequestedHosts.Host?
  private let hosts: RequestedHosts
  private unowned let client: ClientConnection

  /// - Parameter host: the host below a wildcard that it leads to, one of `hosts`, which stays in use as long as the
  ///   pin exists.
  init(
    _ upstream: UpstreamConnection, of pool: UpstreamPool, _ host: RequestedHosts.Host?, in hosts: RequestedHosts,
    caller: String?, for client: ClientConnection
  ) {
    self.upstream = upstream
    self.pool = pool
    self.host = host
    self.hosts = hosts
    self.caller = caller
    self.client = client
    super.init()
    if let host { hosts.stay(host) }
    upstream.stream.observer = self
  }

  /// Ends the pin and returns its connection for a request; nil if it cannot be used any more.
  func take() -> UpstreamConnection? {
    let isUsable = pool.resume(pinned: upstream)
    leaveHost()
    return isUsable ? upstream : nil
  }

  /// Closes the connection.
  func end() {
    pool.discard(upstream)
    leaveHost()
  }

  private func leaveHost() {
    if let host { hosts.leave(host) }
  }

  /// The stream has changed although no request is under way.
  override func readinessChanged() {
    if upstream.stream.hasUnexpectedInput() { client.endPin() }
  }
}
