internal import Outbound
public import Reactor
internal import Synchronization

/// The connections of one event loop to one origin: kept alive between requests, limited in number, thrown away when
/// they grow old or when unsolicited bytes arrive.
public final class UpstreamPool {
  /// The limits of a pool.
  public struct Limits: Sendable, Hashable {
    /// How many connections may be open at the same time.
    public var connections: Int
    /// How many requests may wait for one.
    public var queue: Int
    /// Whether clients are told apart: one may use a part of the connections only, and the next free one goes to the client
    /// that uses fewest. Otherwise requests that wait are served in their order.
    public var tellsClientsApart = true

    /// Limits of these values.
    public init(connections: Int, queue: Int) {
      self.connections = connections
      self.queue = queue
    }
  }

  /// Where the connections lead.
  public let origin: UpstreamOrigin
  /// What it was made with.
  public let limits: Limits

  private let loop: EventLoop
  private let dialer: Dialer
  private let lifetime: ConnectionLifetime
  private let tellsClientsApart: Bool
  private var pool: ConnectionPool<UpstreamConnection, UpstreamLease> {
    didSet { publish() }
  }
  private let figures: PoolFigures
  private var published = (open: 0, idle: 0, waiting: 0)
  private let expiry = LoopTimer()
  /// When `expiry` is due; ``Instant/never`` where it is not set.
  private var nextExpiry = Instant.never
  /// Which of the stores that its trust has had connections are verified against now.
  private var trustGeneration = 0
  /// A number for its trust and for the addresses of its host together: a connection of an earlier one is looked at before it
  /// is kept.
  private var generation = 0
  private var host: HostAddresses!
  // No connection that has it is kept.
  private static let ofRetiredPool = -1
  private var isRetired = false
  /// Says when its store has changed; nil without TLS, and before the first connection.
  private var trust: LoopTrust?

  /// Called when the last connection has ended by itself, and no request waits for one.
  public var becameEmpty: (() -> Void)?

  /// An empty pool.
  ///
  /// - Parameter figures: what else is told how many connections there are; pools may share it.
  public init(
    origin: UpstreamOrigin, limits: Limits, figures: PoolFigures = PoolFigures(), dialer: Dialer, loop: EventLoop
  ) {
    self.origin = origin
    self.limits = limits
    self.loop = loop
    self.dialer = dialer
    self.figures = figures
    lifetime = ConnectionLifetime(origin.options.policy)
    tellsClientsApart = limits.tellsClientsApart
    pool = ConnectionPool(limit: max(1, limits.connections), queueLimit: limits.queue)
    expiry.action = { [unowned self] in expire() }
    host = HostAddresses(
      of: origin, dialer.known.names, on: loop, hasConnections: { [unowned self] in pool.open > 0 },
      lost: { [unowned self] in addressesLost() })
  }

  deinit {
    trust?.remove(self)
    figures.add(open: -published.open, idle: -published.idle, waiting: -published.waiting)
  }

  private func publish() {
    let now = (open: pool.open, idle: pool.idle.count, waiting: pool.waiting)
    guard now != published else { return }
    figures.add(
      open: now.open - published.open, idle: now.idle - published.idle, waiting: now.waiting - published.waiting)
    published = now
  }

  /// Connections that are open or being made.
  public var openConnections: Int { pool.open }
  /// Connections that are not in use.
  public var idleConnections: Int { pool.idle.count }
  /// Requests that wait for a connection.
  public var waitingRequests: Int { pool.waiting }

  /// An idle connection for `client`, if there is one that can be used, and that client may use another one.
  ///
  /// - Parameter most: how many connections the client may use.
  public func reuse(for client: ClientKey = .anyone, most: Int = .max) -> UpstreamConnection? {
    let client = key(client)
    while let idle = pool.takeIdle(for: client, most: most) {
      if isUsable(idle) { return idle.connection }
      handOver(pool.lost(place: idle.place))
    }
    return nil
  }

  /// Whether a connection that was idle can be used; it is closed where it cannot.
  @inline(__always) private func isUsable(_ idle: ConnectionPool<UpstreamConnection, UpstreamLease>.Idle) -> Bool {
    let connection = idle.connection
    connection.stream.observer = nil
    // Nothing runs between a look of the loop at the clock and its timers, which have closed what must not be used.
    assert(loop.now < idle.until, "an idle connection is closed in its time")
    // What came in meanwhile would be taken for the response. Where the loop has looked at everything since, the stream
    // knows: docs/decisions/0011-idle-upstream.md.
    let isUpToDate = loop.hasReported(since: idle.since)
    guard !isUpToDate || connection.stream.isReadable, connection.stream.hasUnexpectedInput() else {
      connection.earlierRequests += 1
      return true
    }
    connection.stream.close()
    return false
  }

  private func key(_ client: ClientKey) -> ClientKey { tellsClientsApart ? client : .anyone }

  /// Whether what `lease` waits for is that its client uses fewer connections, of which it may not use all.
  public func isAtShare(_ lease: UpstreamLease) -> Bool {
    lease.most < pool.limit && !pool.mayUse(key(lease.client), most: lease.most)
  }

  /// Whether `lease` would get a connection at once, or one that is made at once.
  public func hasRoom(for lease: UpstreamLease) -> Bool {
    (pool.open < pool.limit || !pool.idle.isEmpty) && pool.mayUse(key(lease.client), most: lease.most)
  }

  /// Requests a connection for `lease`, whose outcome is set now or later.
  ///
  /// - Parameter mustBeNew: whether a connection that served others before will not do.
  public func request(_ lease: UpstreamLease, mustBeNew: Bool = false) {
    if mustBeNew {
      closeIdle()
    } else if let connection = reuse(for: lease.client, most: lease.most) {
      return lease.finish(.success(connection))
    }
    switch pool.lease(for: lease, of: key(lease.client), most: lease.most) {
    case .dial(let place): dial(for: lease, at: place)
    case .wait(let displaced): displaced?.finish(.failure(.clientShare))
    case .refuse: lease.finish(.failure(isAtShare(lease) ? .clientShare : .exhausted))
    }
  }

  /// The request does not want a connection any more; one in the making is dropped, one that came is taken back.
  public func abandon(_ lease: UpstreamLease) {
    switch lease.outcome {
    case .success(let connection): release(connection)
    case .failure: return
    case nil:
      guard let attempt = lease.attempt else {
        return pool.removeWaiter(lease, of: key(lease.client), most: lease.most)
      }
      lease.attempt = nil
      attempt.cancel()
      handOver(pool.lost(place: lease.place))
    }
  }

  /// Binds a connection in use to the client that it serves: the upstream has authenticated the connection, or is about to,
  /// and what comes on it from now on is in that client's name. No other request gets it, however it is given back.
  public func pin(_ connection: UpstreamConnection) {
    guard !connection.isPinned else { return }
    connection.isPinned = true
    figures.add(pinned: 1)
  }

  /// Begins another request of its client on a pinned connection; false, and the connection is closed, where it cannot be
  /// used any more.
  public func resume(pinned connection: UpstreamConnection) -> Bool {
    connection.stream.observer = nil
    guard connection.trustGeneration == trustGeneration, !connection.stream.hasUnexpectedInput() else {
      discard(connection)
      return false
    }
    connection.earlierRequests += 1
    return true
  }

  /// Takes back a connection on which the exchange ended well, and the peer did not say that it would close.
  ///
  /// A pinned one is closed: between two requests of its client it stays outside of the pool, as one in use. So is one that has
  /// served for as long as it may, or as many requests.
  public func release(_ connection: UpstreamConnection) {
    if connection.isPinned || connection.generation != generation, !isStillGood(connection) {
      return discard(connection)
    }
    let now = loop.now
    let until = connection.lifetime.idleEnd(from: now)
    if until <= now || connection.earlierRequests >= connection.lifetime.lastRequest { return discard(connection) }
    connection.stream.observer = nil
    // Without news of the kernel there is nothing to look for, unless it is used again at once.
    let isHandedOver = pool.waiting > 0
    if isHandedOver || connection.stream.isReadable, connection.stream.hasUnexpectedInput() {
      return discard(connection)
    }
    if let waiter = pool.release(connection, place: connection.place, at: now, until: until) {
      connection.earlierRequests += 1
      waiter.finish(.success(connection))
    } else {
      connection.stream.observer = connection
      if until < nextExpiry { setExpiry(until) }
    }
  }

  private func setExpiry(_ moment: Instant) {
    nextExpiry = moment
    loop.set(expiry, to: moment)
  }

  /// Whether a connection that is pinned, or of an earlier generation, may be kept.
  @inline(never) private func isStillGood(_ connection: UpstreamConnection) -> Bool {
    guard !isRetired, !connection.isPinned, connection.trustGeneration == trustGeneration,
      host.contains(connection.ipAddress)
    else { return false }
    connection.generation = generation
    return true
  }

  /// Closes a connection that must not be used again.
  public func discard(_ connection: UpstreamConnection) {
    if connection.isPinned { figures.add(pinned: -1) }
    connection.stream.observer = nil
    connection.stream.close()
    handOver(pool.lost(place: connection.place))
  }

  /// Closes the connections that are not in use.
  public func closeIdle() {
    for connection in pool.expire(at: .never) { close(idle: connection) }
  }

  /// The authorities that servers are verified against have changed: no request that begins from now on gets a connection
  /// that was verified against the earlier ones. Those in use go on, and are closed when they are given back.
  func trustChanged() {
    trustGeneration += 1
    generation += 1
    closeIdle()
    noteIfEmpty()
  }

  /// Closes `count` of the connections that are not in use, those first that were not used for longest.
  public func closeLongestIdle(_ count: Int) {
    for connection in pool.takeLongestIdle(count) { close(idle: connection) }
    noteIfEmpty()
  }

  /// The requests that use the pool now are the last ones: their connections are closed when they are given back.
  public func retire() {
    isRetired = true
    trustGeneration += 1
    generation += 1
    closeIdle()
    loop.retire(expiry)
    host.close()
  }

  /// Ends the pool, which no request uses any more.
  public func close() {
    closeIdle()
    becameEmpty = nil
    trust?.remove(self)
    trust = nil
    loop.retire(expiry)
    host.close()
  }

  private func dial(for lease: UpstreamLease, at place: Int) {
    lease.place = place
    do {
      if origin.isSecure { try joinTrust() }
      lease.attempt = try dialer.dial(
        origin, timeout: lease.connectTimeout, upstream: figures.upstream ?? origin.name,
        resolved: { [unowned self, unowned lease] addresses in
          host.note(addresses)
          lease.generation = isRetired ? Self.ofRetiredPool : generation
        },
        completion: { [unowned self, unowned lease] result in
          lease.attempt = nil
          switch result {
          case .success(let dialed):
            let connection = UpstreamConnection(
              dialed, place: lease.place, trustGeneration: lease.trustGeneration, generation: lease.generation,
              lifetime: lifetime.begun(at: loop.now, place: lease.place), account: dialer.account
            ) { [unowned self] in inspect($0) }
            host.connected()
            lease.finish(.success(connection))
          case .failure(let error):
            handOver(pool.lost(place: lease.place))
            lease.finish(.failure(error))
          }
        })
      // To dial is to take the present store of the trust, or a later one.
      lease.trustGeneration = trustGeneration
      lease.generation = isRetired ? Self.ofRetiredPool : generation
    } catch {
      handOver(pool.lost(place: lease.place))
      lease.finish(.failure(error))
    }
  }

  /// Has the pool told when what its connections are verified against changes.
  private func joinTrust() throws(UpstreamError) {
    guard trust == nil else { return }
    let trust = try dialer.trust(origin.options)
    trust.add(self)
    self.trust = trust
  }

  /// The host has lost addresses. Connections to those are closed, the ones in use when they are given back.
  private func addressesLost() {
    generation += 1
    let gone = pool.takeIdle { host.contains($0.ipAddress) }
    guard !gone.isEmpty else { return }
    for connection in gone { close(idle: connection) }
    noteIfEmpty()
  }

  private func handOver(_ room: ConnectionPool<UpstreamConnection, UpstreamLease>.Room) {
    switch room {
    case .none: return
    case .dial(let waiter, let place): dial(for: waiter, at: place)
    case .use(let idle, let waiter):
      guard isUsable(idle) else { return dial(for: waiter, at: idle.place) }
      waiter.finish(.success(idle.connection))
    }
  }

  private func inspect(_ connection: UpstreamConnection) {
    guard connection.stream.hasUnexpectedInput(), pool.removeIdle(connection) else { return }
    close(idle: connection)
    noteIfEmpty()
  }

  private func noteIfEmpty() {
    if pool.open == 0, pool.waiting == 0 { becameEmpty?() }
  }

  private func close(idle connection: UpstreamConnection) {
    connection.stream.observer = nil
    connection.stream.close()
  }

  private func expire() {
    for connection in pool.expire(at: loop.now) { close(idle: connection) }
    nextExpiry = .never
    let next = pool.nextExpiry
    if next != .never { setExpiry(next) }
    noteIfEmpty()
  }
}

/// How many connections one or several pools have, to show in metrics; read and written from any thread.
public final class PoolFigures: Sendable {
  private let openCount = Atomic<Int>(0)
  private let idleCount = Atomic<Int>(0)
  private let waitingCount = Atomic<Int>(0)
  private let pinnedCount = Atomic<Int>(0)
  /// What metrics call the upstreams of the pools; nil for the names of their origins.
  let upstream: String?

  /// All 0.
  public init(upstream: String? = nil) {
    self.upstream = upstream
  }

  /// Connections that are open or being made, idle ones included.
  public var open: Int { openCount.load(ordering: .relaxed) }
  /// Connections that are not in use.
  public var idle: Int { idleCount.load(ordering: .relaxed) }
  /// Requests that wait for a connection.
  public var waiting: Int { waitingCount.load(ordering: .relaxed) }
  /// Connections that belong to one client.
  public var pinned: Int { pinnedCount.load(ordering: .relaxed) }

  func add(open: Int, idle: Int, waiting: Int) {
    if open != 0 { openCount.wrappingAdd(open, ordering: .relaxed) }
    if idle != 0 { idleCount.wrappingAdd(idle, ordering: .relaxed) }
    if waiting != 0 { waitingCount.wrappingAdd(waiting, ordering: .relaxed) }
  }

  func add(pinned: Int) { pinnedCount.wrappingAdd(pinned, ordering: .relaxed) }
}
