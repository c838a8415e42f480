internal import Reactor
internal import Upstream

/// An upstream connection that waits for the next request of the one client that it belongs to.
///
/// With NTLM, Negotiate and their like the upstream authenticates the connection. So the client's next requests, on its
/// own connection, must be forwarded on the same one, and no other client's requests may. The pin ends with the
/// client's connection, or when the upstream closes, or says something unasked.
final class UpstreamPin: ReadinessObserver {
  /// The connections to the same upstream, among which it counts as one in use.
  let pool: UpstreamPool
  /// The name of the caller that it was authenticated for; nil where that is not known.
  let caller: String?
  private let upstream: UpstreamConnection
  private let host: RequestedHosts.Host?
  private let hosts: RequestedHosts
  private unowned let client: ClientConnection

  /// - Parameter host: the host below a wildcard that it leads to, one of `hosts`, which is in use as long as the pin is there.
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

  /// Ends the pin and returns its connection for a request; nil where that cannot be used any more.
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

  /// The connection has news although no request is under way.
  override func readinessChanged() {
    if upstream.stream.hasUnexpectedInput() { client.endPin() }
  }
}
