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

  /// Registers the pool for changes of what its connections are verified against.
  private func joinTrust() throws(UpstreamError) {
    guard trust == nil else { return }
    let trust = try dialer.trust(origin.options)
    trust.add(self)
    self.trust = trust
  }
}
