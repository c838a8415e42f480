internal import Configuration
internal import Upstream

/// The upstreams of one event loop that requests name themselves: hosts below wildcards, and their connections.
///
/// A host is kept while requests use it or connections to it are open. Clients decide which hosts there are, so their
/// number has a limit, and so have the idle connections to all of them; the least recently used host is dropped first.
final class RequestedHosts {
  /// A host.
  final class Host {
    let pool: UpstreamPool
    fileprivate var users = 0
    /// The client that began to use it; it counts for that client until it is no longer in use.
    fileprivate var client = ClientKey.anyone
    fileprivate var lastUse = 0
    /// How many connections were idle when it was last left.
    fileprivate var idle = 0
    private var routes: [Int: ProxyRoute] = [:]

    fileprivate init(_ pool: UpstreamPool) {
      self.pool = pool
    }

    /// `route` as it leads to this host, which is at `origin`.
    func route(_ route: ProxyRoute, to origin: Origin) -> ProxyRoute {
      if let known = routes[route.index] { return known }
      let made = route.leading(to: origin)
      routes[route.index] = made
      return made
    }
  }

  /// The settings for all hosts.
  struct Settings: Hashable {
    /// How many hosts there may be.
    var hosts: Int
    /// The limits of each host's pool; also the limit of idle connections to all hosts together.
    var pool: UpstreamPool.Limits
  }

  let settings: Settings
  private let makePool: (UpstreamOrigin) -> UpstreamPool
  private var isRetired = false
  private var hosts: [UpstreamOrigin: Host] = [:]
  private var uses = 0
  /// Idle connections to all hosts: this many, or fewer if some have ended since.
  private var idle = 0

  init(_ settings: Settings, makePool: @escaping (UpstreamOrigin) -> UpstreamPool) {
    self.settings = settings
    self.makePool = makePool
  }

  private var limit: Int { settings.hosts }
  private var idleLimit: Int { settings.pool.connections }

  /// How many there are.
  var count: Int { hosts.count }

  /// The host at `origin`, for a request of `client` that must call ``leave(_:)``; nil if the limit of hosts in use, or
  /// this client's limit, is reached.
  ///
  /// - Parameter most: how many hosts that no other client uses `client` may begin to use.
  func enter(_ origin: UpstreamOrigin, for client: ClientKey = .anyone, most: Int = .max) -> Host? {
    let known = hosts[origin]
    if known == nil || known?.users == 0, isAtShare(client, most: most) { return nil }
    guard let host = known ?? add(origin) else { return nil }
    if host.users == 0 { host.client = client }
    uses += 1
    host.lastUse = uses
    host.users += 1
    return host
  }

  /// Whether `client` has reached its own limit of hosts in use.
  ///
  /// It visits each host only if there are so many that one client could have too many of them.
  func isAtShare(_ client: ClientKey, most: Int) -> Bool {
    guard most < limit, hosts.count >= most else { return false }
    return hosts.values.count { $0.users > 0 && $0.client == client } >= most
  }

  /// A connection to `host` stays reserved for one client after its request; ``leave(_:)`` must be called for that too.
  func stay(_ host: Host) {
    host.users += 1
  }

  /// A request no longer uses `host`, nor any connection to it.
  func leave(_ host: Host) {
    host.users -= 1
    idle += host.pool.idleConnections - host.idle
    host.idle = host.pool.idleConnections
    if host.users == 0, isRetired || host.pool.openConnections == 0 { remove(host) }
    if idle > idleLimit { closeOldest() }
  }

  /// Closes the connections that are not in use.
  func closeIdle() {
    for host in hosts.values { closeIdle(host) }
  }

  /// No new request uses the hosts.
  func retire() {
    isRetired = true
    closeIdle()
    for host in hosts.values { host.pool.retire() }
  }

  private func add(_ origin: UpstreamOrigin) -> Host? {
    if hosts.count >= limit {
      guard let oldest = hosts.values.filter({ $0.users == 0 }).min(by: { $0.lastUse < $1.lastUse }) else { return nil }
      remove(oldest)
    }
    let host = Host(makePool(origin))
    hosts[origin] = host
    host.pool.becameEmpty = { [unowned self, unowned host] in
      if host.users == 0 { remove(host) }
    }
    return host
  }

  private func remove(_ host: Host) {
    idle -= host.idle
    host.pool.close()
    hosts[host.pool.origin] = nil
  }

  private func closeIdle(_ host: Host) {
    guard host.users > 0 else { return remove(host) }
    host.pool.closeIdle()
    idle -= host.idle
    host.idle = 0
  }

  private func closeOldest() {
    for host in hosts.values {
      idle += host.pool.idleConnections - host.idle
      host.idle = host.pool.idleConnections
    }
    for host in hosts.values.filter({ $0.idle > 0 }).sorted(by: { $0.lastUse < $1.lastUse }) {
      guard idle > idleLimit else { return }
      closeIdle(host)
    }
  }
}
