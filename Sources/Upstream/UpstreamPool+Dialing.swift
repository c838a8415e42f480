internal import DequeModule
internal import Outbound
internal import Reactor

// How a pool makes its connections.
extension UpstreamPool {
  func dial(for lease: UpstreamLease, at place: Int) {
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
              dialed, place: lease.place, holder: shared?.key(lease.client), trustGeneration: lease.trustGeneration,
              generation: lease.generation, lifetime: lifetime.begun(at: loop.now, place: lease.place),
              account: dialer.account
            ) { [unowned self] in inspect($0) }
            host.connected()
            lease.finish(.success(connection))
          case .failure(let error):
            lost(lease)
            lease.finish(.failure(error))
          }
        })
      // To dial is to take the present store of the trust, or a later one.
      lease.trustGeneration = trustGeneration
      lease.generation = isRetired ? Self.ofRetiredPool : generation
    } catch {
      lost(lease)
      lease.finish(.failure(error))
    }
  }

  /// Dials for a waiter that was given a place. Where dialling fails at once, the place goes to the next waiter, and so on: one after
  /// the other, since the queue may be longer than the stack is deep.
  func dialInTurn(for lease: UpstreamLease, at place: Int) {
    turns.append((lease, place))
    guard !isTakingTurns else { return }
    isTakingTurns = true
    defer { isTakingTurns = false }
    while let (lease, place) = turns.popFirst() { dial(for: lease, at: place) }
  }

  /// Gives `connection`, which is free again, to a request that waited; where only a new one will do for that request, it gets
  /// a new one, and `connection` is idle.
  @inline(never) func give(_ connection: UpstreamConnection, to lease: UpstreamLease, until: Instant) {
    guard lease.mustBeNew else {
      connection.earlierRequests += 1
      return lease.finish(.success(connection))
    }
    watch(connection, until: until)
    let kept = ConnectionPool<UpstreamConnection, UpstreamLease>.Idle(
      connection: connection, place: connection.place, since: loop.now, until: until)
    dialNew(for: lease, keeping: kept)
  }

  /// Dials for `lease`, which was given an idle connection, and for which only a new one will do.
  func dialNew(for lease: UpstreamLease, keeping idle: ConnectionPool<UpstreamConnection, UpstreamLease>.Idle) {
    let (place, retired) = pool.keep(idle, givingNewTo: key(lease.client))
    if let retired { retire(retired) }
    dialInTurn(for: lease, at: place)
  }

  /// Closes a connection whose place another one has now.
  func retire(_ connection: UpstreamConnection) {
    connection.stream.observer = nil
    connection.stream.close()
  }

  /// Has the pool told when what its connections are verified against changes.
  private func joinTrust() throws(UpstreamError) {
    guard trust == nil else { return }
    let trust = try dialer.trust(origin.options)
    trust.add(self)
    self.trust = trust
  }
}
