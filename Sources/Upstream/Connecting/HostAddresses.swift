internal import Addresses
internal import Outbound
internal import Reactor

/// The addresses of the host that a pool's connections lead to, looked up again while there are connections.
///
/// On the loop's thread.
final class HostAddresses {
  private let host: String
  private let refreshTime: Duration
  private let names: NameResolver
  private let loop: EventLoop
  private let hasConnections: () -> Bool
  private let lost: () -> Void
  /// What was found last, with what counts as found; nil before that.
  private var known: [IPAddress]?
  private let timer = LoopTimer()
  private var lookup: NameWait?

  /// - Parameter hasConnections: whether there are connections, or some in the making.
  /// - Parameter lost: called when the host does not have all of its earlier addresses any more.
  init(
    of origin: UpstreamOrigin, _ names: NameResolver, on loop: EventLoop, hasConnections: @escaping () -> Bool,
    lost: @escaping () -> Void
  ) {
    host = origin.connectedHost
    refreshTime = origin.options.policy.dnsRefresh
    self.names = names
    self.loop = loop
    self.hasConnections = hasConnections
    self.lost = lost
    timer.action = { [unowned self] in lookUp() }
  }

  deinit { close() }

  /// Whether `address` is one of the host's, as far as is known.
  func contains(_ address: IPAddress) -> Bool { known?.contains(address) ?? true }

  /// A connection has been made.
  func connected() {
    if timer.deadline == .never { setTimer() }
  }

  /// These are the addresses now.
  func note(_ addresses: [IPAddress]) {
    guard addresses != known else { return }
    let earlier = known ?? []
    known = addresses
    if !earlier.allSatisfy(addresses.contains) { lost() }
  }

  /// Nothing is looked up any more.
  func close() {
    loop.retire(timer)
    lookup?.cancel()
    lookup = nil
  }

  private func setTimer() {
    guard IPAddress(host) == nil else { return }
    loop.set(timer, to: loop.now + refreshTime)
  }

  private func lookUp() {
    guard hasConnections() else { return }
    setTimer()
    // One that hangs goes on.
    guard lookup == nil else { return }
    let look = names.look(up: host, refresh: refreshTime, isRenewal: true, on: loop) { [unowned self] answer in
      lookup = nil
      // From when the answer came: before it is that old, it counts as fresh.
      setTimer()
      note(answer)
    }
    switch look {
    case .known(let answer): note(answer)
    case .pending(let wait): lookup = wait
    }
  }

  private func note(_ answer: NameAnswer) {
    // Without an answer connections go on: what they lead to has not moved as far as is known.
    if case .addresses(let addresses, let earlier) = answer { note(addresses + earlier) }
  }
}
