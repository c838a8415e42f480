internal import Reactor

// What a pool does where the loops share the places for connections: it keeps connections as usual, but asks before it makes
// one, and tells what becomes of each. None of its requests waits in the pool itself.
extension UpstreamPool {
  /// A kept connection for `client`; nil if there is none that it may use.
  func reuse(_ shared: LoopPlaces, for client: ClientKey, most: Int) -> UpstreamConnection? {
    let client = shared.key(client)
    while true {
      // Others may have waited longer.
      if shared.hasUnreported, shared.places.isShort { reportKept() }
      guard let last = pool.idle.last?.connection else { return nil }
      if last.holder != client || !shared.places.mayUseKept(most: most) {
        switch shared.places.use(keptFor: last.holder, by: client, most: most, on: shared.number) {
        case .isMade: last.holder = client
        case .isAtShare: return nil
        case .mustReport:
          reportKept()
          continue
        }
      }
      guard let idle = pool.takeIdle(for: .anyone, most: .max) else { preconditionFailure("one is idle") }
      if isUsable(idle) { return idle.connection }
      lost(place: idle.place, client)
    }
  }

  /// Makes a connection for `lease`, or has it wait until it may.
  func request(_ lease: UpstreamLease, _ shared: LoopPlaces) {
    let request = PlaceRequest(lease, on: shared)
    switch shared.places.arrive(request) {
    case .goesOn: dialShared(lease)
    case .waits:
      lease.placeRequest = request
      note(waiting: 1, shared)
    case .isRefused: lease.finish(.failure(isAtShare(lease) ? .clientShare : .exhausted))
    }
  }

  /// `lease`, which waited, has a place.
  func dial(granted lease: UpstreamLease) {
    guard stopsWaiting(lease) else { return }
    dialShared(lease)
  }

  /// `lease`, which waited, was displaced by another client's request.
  func displace(_ lease: UpstreamLease) {
    guard stopsWaiting(lease) else { return }
    lease.finish(.failure(.clientShare))
  }

  /// `lease`, which waits, is not wanted any more.
  func withdraw(_ lease: UpstreamLease, _ shared: LoopPlaces) {
    guard let request = lease.placeRequest, request.take() != nil else { return }
    _ = stopsWaiting(lease)
    shared.places.withdraw(request)
  }

  /// Takes back a connection that can be used again, and may be idle until `until`.
  func release(_ connection: UpstreamConnection, _ shared: LoopPlaces, until: Instant) {
    connection.stream.observer = nil
    let isShort = shared.places.isShort
    if isShort || connection.stream.isReadable, connection.stream.hasUnexpectedInput() { return discard(connection) }
    if !isShort {
      // It stays charged to its client, and need not be reported when that client uses it again.
      shared.hasUnreported = true
    } else if let next = shared.places.report(keptFor: connection.holder, on: shared.number) {
      return pass(connection, to: next, shared)
    } else {
      connection.holder = .unused
    }
    keep(connection, until: until)
  }

  /// Reports the connections that are kept, and gives up those that others wait for.
  func reportKept() {
    guard let shared else { return }
    shared.hasUnreported = false
    for connection in pool.idle.map(\.connection) {
      guard let next = shared.places.report(keptFor: connection.holder, on: shared.number) else {
        connection.holder = .unused
        continue
      }
      guard let idle = pool.take(connection) else { preconditionFailure("it is idle") }
      connection.holder = next.client
      if isUsable(idle) {
        connection.earlierRequests -= 1
        pass(connection, to: next, shared)
      } else {
        // The connection is closed, and its place is that of the next one.
        handOver(pool.lost(place: idle.place))
        next.goOn()
      }
    }
    noteIfEmpty()
  }

  /// Gives `connection`, or its place, to the request that is next. Where only a new connection will do for that one, it is the
  /// place: while requests wait, all of them are taken.
  private func pass(_ connection: UpstreamConnection, to next: PlaceRequest, _ shared: LoopPlaces) {
    if next.loop === shared, !next.mustBeNew, let lease = next.take(), stopsWaiting(lease) {
      connection.holder = next.client
      connection.earlierRequests += 1
      return lease.finish(.success(connection))
    }
    connection.stream.observer = nil
    connection.stream.close()
    handOver(pool.lost(place: connection.place))
    next.goOn()
  }

  private func dialShared(_ lease: UpstreamLease) {
    guard case .dial(let place) = pool.lease(for: lease, of: .anyone, most: .max) else {
      preconditionFailure("no loop has more connections than all have together")
    }
    dial(for: lease, at: place)
  }

  private func stopsWaiting(_ lease: UpstreamLease) -> Bool {
    guard lease.placeRequest != nil, let shared else { return false }
    lease.placeRequest = nil
    note(waiting: -1, shared)
    return true
  }

  private func note(waiting change: Int, _ shared: LoopPlaces) {
    shared.waiting += change
    figures.add(open: 0, idle: 0, waiting: change)
  }
}
