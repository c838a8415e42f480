internal import DequeModule
internal import Outbound
public import Reactor

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
    /// Whether these are the limits of all pools to the origin together, on whichever loops.
    public var areShared = false

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

  let loop: EventLoop
  let dialer: Dialer
  let lifetime: ConnectionLifetime
  /// Whether the pool itself tells clients apart.
  private let tellsClientsApart: Bool
  var pool: ConnectionPool<UpstreamConnection, UpstreamLease> {
    didSet { publish() }
  }
  let figures: PoolFigures
  /// Gives it places if loops share them.
  private(set) var shared: LoopPlaces?
  private var published = (open: 0, idle: 0, waiting: 0)
  private let expiry = LoopTimer()
  /// When `expiry` is due; ``Instant/never`` where it is not set.
  private var nextExpiry = Instant.never
  /// Which of the stores of its trust connections are verified against now.
  private(set) var trustGeneration = 0
  /// Counts changes of its trust and of the addresses of its host together: a connection of an earlier generation is
  /// checked before it is kept.
  private(set) var generation = 0
  private(set) var host: HostAddresses!
  // The generation of connections that must not be kept.
  static let ofRetiredPool = -1
  // Waiters that have a place, and are to be dialled for. See dialInTurn.
  var turns = Deque<(UpstreamLease, Int)>()
  var isTakingTurns = false
  private(set) var isRetired = false
  /// Says when its store has changed; nil without TLS, and before the first connection.
  var trust: LoopTrust?

  /// Called when the last connection has ended by itself, and no request waits for one.
  public var becameEmpty: (() -> Void)?

  /// An empty pool.
  ///
  /// - Parameter figures: also counts the pool's connections, for the metrics; pools may share it.
  public init(
    origin: UpstreamOrigin, limits: Limits, figures: PoolFigures = PoolFigures(), dialer: Dialer, loop: EventLoop
  ) {
    self.origin = origin
    self.limits = limits
    self.loop = loop
    self.dialer = dialer
    self.figures = figures
    lifetime = ConnectionLifetime(origin.options.policy)
    tellsClientsApart = limits.tellsClientsApart && !limits.areShared
    pool = ConnectionPool(limit: max(1, limits.connections), queueLimit: limits.queue)
    expiry.action = { [unowned self] in expire() }
    host = HostAddresses(
      of: origin, dialer.known.names, on: loop, hasConnections: { [unowned self] in pool.open > 0 },
      lost: { [unowned self] in addressesLost() })
    if limits.areShared { shared = join(limits, dialer.places) }
  }

  private func join(_ limits: Limits, _ places: SharedPlacesByOrigin) -> LoopPlaces {
    // Sendable in fact: it is called at once.
    nonisolated(unsafe) let pool = self
    return places.join(origin, limits) { [loop] places in
      unsafe places.join(pool, on: loop, tellsClientsApart: limits.tellsClientsApart)
    }
  }

  deinit {
    shared?.end()
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
  public var waitingRequests: Int { pool.waiting + (shared?.waiting ?? 0) }

  /// An idle connection for `client`, if there is one that can be used, and that client may use another one.
  ///
  /// - Parameter most: how many connections the client may use.
  public func reuse(for client: ClientKey = .anyone, most: Int = .max) -> UpstreamConnection? {
    guard tellsClientsApart else { return reuseForAnyone(client, most: most) }
    return takeUsable(for: client, most: most)
  }

  @inline(never) private func reuseForAnyone(_ client: ClientKey, most: Int) -> UpstreamConnection? {
    if let shared { return reuse(shared, for: client, most: most) }
    return takeUsable(for: .anyone, most: most)
  }

  @inline(__always) private func takeUsable(for client: ClientKey, most: Int) -> UpstreamConnection? {
    while let idle = pool.takeIdle(for: client, most: most) {
      if isUsable(idle) { return idle.connection }
      handOver(pool.lost(place: idle.place))
    }
    return nil
  }

  /// Whether a connection that was idle can be used; it is closed where it cannot.
  @inline(__always) func isUsable(_ idle: ConnectionPool<UpstreamConnection, UpstreamLease>.Idle) -> Bool {
    let connection = idle.connection
    connection.stream.observer = nil
    // Input that arrived meanwhile would be taken for the response. If the loop has polled everything since, the stream
    // knows of it: docs/decisions/0011-idle-upstream.md.
    let isUpToDate = loop.hasReported(since: idle.since)
    guard !isUpToDate || connection.stream.isReadable, connection.stream.hasUnexpectedInput() else {
      connection.earlierRequests += 1
      return true
    }
    connection.stream.close()
    return false
  }

  func key(_ client: ClientKey) -> ClientKey { tellsClientsApart ? client : .anyone }

  /// Whether `lease` waits for its client to use fewer connections, and that client may not use all.
  public func isAtShare(_ lease: UpstreamLease) -> Bool {
    if let shared { return shared.places.isAtShare(shared.key(lease.client), most: lease.most) }
    return isAtOwnShare(lease)
  }

  private func isAtOwnShare(_ lease: UpstreamLease) -> Bool {
    lease.most < pool.limit && !pool.mayUse(key(lease.client), most: lease.most)
  }

  /// Whether `lease` would get a connection at once, or one that is made at once.
  public func hasRoom(for lease: UpstreamLease) -> Bool {
    if let shared {
      return shared.places.hasRoom(
        for: shared.key(lease.client), most: lease.most, isKept: !pool.idle.isEmpty)
    }
    return (pool.open < pool.limit || !pool.idle.isEmpty) && pool.mayUse(key(lease.client), most: lease.most)
  }

  /// Requests a connection for `lease`, whose outcome is set now or later.
  ///
  /// - Parameter mustBeNew: whether a connection that served others before will not do. At the limit, one that is idle makes
  ///   room.
  public func request(_ lease: UpstreamLease, mustBeNew: Bool = false) {
    lease.mustBeNew = mustBeNew
    if !mustBeNew, let connection = reuse(for: lease.client, most: lease.most) {
      return lease.finish(.success(connection))
    }
    if let shared { return request(lease, shared) }
    if mustBeNew, pool.open >= pool.limit, let retired = pool.retireIdle(for: key(lease.client), most: lease.most) {
      retire(retired.connection)
      return dial(for: lease, at: retired.place)
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
        if let shared { return withdraw(lease, shared) }
        return pool.removeWaiter(lease, of: key(lease.client), most: lease.most)
      }
      lease.attempt = nil
      attempt.cancel()
      lost(lease)
    }
  }

  /// Binds a connection in use to the client that it serves: the upstream has authenticated the connection, or is about
  /// to, and treats everything on it as that client's from now on. No other request gets it, however it is given back.
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

  /// Takes back a connection on which the exchange ended well, and whose peer has not said that it will close it.
  ///
  /// A pinned one is closed: between two requests of its client it stays outside the pool, and counts as in use. A
  /// connection that has served as long, or as many requests, as it may is closed too.
  public func release(_ connection: UpstreamConnection) {
    if connection.needsCare || connection.generation != generation { return releaseWithCare(connection) }
    takeBack(connection)
  }

  @inline(never) private func releaseWithCare(_ connection: UpstreamConnection) {
    guard isStillGood(connection) else { return discard(connection) }
    guard let shared else { return takeBack(connection) }
    let now = loop.now
    let until = connection.lifetime.idleEnd(from: now)
    if connection.hasServed(until: until, now) { return discard(connection) }
    release(connection, shared, until: until)
  }

  /// Whether a connection that is pinned, or of an earlier generation, may be kept.
  private func isStillGood(_ connection: UpstreamConnection) -> Bool {
    if connection.isPinned { return false }
    if connection.generation == generation { return true }
    guard !isRetired, connection.trustGeneration == trustGeneration, host.contains(connection.ipAddress) else {
      return false
    }
    connection.generation = generation
    return true
  }

  @inline(__always) private func takeBack(_ connection: UpstreamConnection) {
    let now = loop.now
    let until = connection.lifetime.idleEnd(from: now)
    if connection.hasServed(until: until, now) { return discard(connection) }
    connection.stream.observer = nil
    // If the kernel has reported nothing there is nothing to look for, unless the connection is used again at once.
    let isHandedOver = pool.waiting > 0
    if isHandedOver || connection.stream.isReadable, connection.stream.hasUnexpectedInput() {
      return discard(connection)
    }
    if let waiter = pool.release(connection, place: connection.place, at: now, until: until) {
      give(connection, to: waiter, until: until)
    } else {
      watch(connection, until: until)
    }
  }

  /// Keeps `connection`, for which no request waits here.
  func keep(_ connection: UpstreamConnection, until: Instant) {
    _ = pool.release(connection, place: connection.place, at: loop.now, until: until)
    watch(connection, until: until)
  }

  /// Notices what happens to `connection`, which is idle until then at most.
  @inline(__always) func watch(_ connection: UpstreamConnection, until: Instant) {
    connection.stream.observer = connection
    if until < nextExpiry { setExpiry(until) }
  }

  private func setExpiry(_ moment: Instant) {
    nextExpiry = moment
    loop.set(expiry, to: moment)
  }

  /// Closes a connection that must not be used again.
  public func discard(_ connection: UpstreamConnection) {
    if connection.isPinned { figures.add(pinned: -1) }
    connection.stream.observer = nil
    connection.stream.close()
    lost(place: connection.place, connection.holder)
  }

  /// Closes the connections that are not in use.
  public func closeIdle() {
    for connection in pool.expire(at: .never) { close(idle: connection) }
  }

  /// The authorities that servers are verified against have changed: no request from now on gets a connection that was
  /// verified against the earlier ones. Connections in use go on, and are closed when they are given back.
  func trustChanged() {
    trustGeneration += 1
    generation += 1
    closeIdle()
    noteIfEmpty()
  }

  /// Closes `count` of the idle connections, least recently used first.
  public func closeLongestIdle(_ count: Int) {
    for connection in pool.takeLongestIdle(count) { close(idle: connection) }
    noteIfEmpty()
  }

  /// No new request uses the pool; the connections of its present requests are closed when they are given back.
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
    shared?.end()
    trust?.remove(self)
    trust = nil
    loop.retire(expiry)
    host.close()
  }

  /// The host has lost addresses. Connections to those are closed, the ones in use when they are given back.
  private func addressesLost() {
    generation += 1
    let gone = pool.takeIdle { host.contains($0.ipAddress) }
    guard !gone.isEmpty else { return }
    for connection in gone { close(idle: connection) }
    noteIfEmpty()
  }

  /// The connection that was being made for `lease` is gone.
  func lost(_ lease: UpstreamLease) {
    lost(place: lease.place, shared?.key(lease.client) ?? .unused)
  }

  /// The connection at `place`, for which `client` is charged if loops share places, is gone.
  func lost(place: Int, _ client: ClientKey) {
    handOver(pool.lost(place: place))
    if let shared { shared.places.leave(client, on: shared.number) }
  }

  func handOver(_ room: ConnectionPool<UpstreamConnection, UpstreamLease>.Room) {
    switch room {
    case .none: return
    case .dial(let waiter, let place): dialInTurn(for: waiter, at: place)
    case .use(let idle, let waiter):
      if waiter.mustBeNew { return dialNew(for: waiter, keeping: idle) }
      guard isUsable(idle) else { return dialInTurn(for: waiter, at: idle.place) }
      waiter.finish(.success(idle.connection))
    }
  }

  func inspect(_ connection: UpstreamConnection) {
    guard connection.stream.hasUnexpectedInput(), pool.removeIdle(connection) else { return }
    close(idle: connection)
    noteIfEmpty()
  }

  func noteIfEmpty() {
    if pool.open == 0, waitingRequests == 0 { becameEmpty?() }
  }

  func close(idle connection: UpstreamConnection) {
    connection.stream.observer = nil
    connection.stream.close()
    if let shared { shared.places.leave(connection.holder, on: shared.number) }
  }

  private func expire() {
    for connection in pool.expire(at: loop.now) { close(idle: connection) }
    nextExpiry = .never
    let next = pool.nextExpiry
    if next != .never { setExpiry(next) }
    noteIfEmpty()
  }
}
