internal import Locks

/// How many connections every client has, all loops together.
///
/// The kernel spreads a client's connections over the loops by chance, so a share of the limit for each loop would
/// refuse some clients long before others. The lock is taken once when a connection comes and once when it goes.
final class ClientCensus: Sendable {
  private let limit: Int
  private let counts = Monitor<[ClientAddress: Int]>([:])

  /// - Parameter limit: how many connections a client may have.
  init(limit: Int) {
    self.limit = limit
  }

  /// Counts a connection of `client`; false, and not counted, where it has as many as it may.
  func admit(_ client: ClientAddress) -> Bool {
    counts.withLock { counts in
      let count = counts[client, default: 0]
      guard count < limit else { return false }
      counts[client] = count + 1
      return true
    }
  }

  /// A connection that was counted is no more.
  func leave(_ client: ClientAddress) {
    counts.withLock { counts in
      guard let count = counts[client] else { return }
      counts[client] = count > 1 ? count - 1 : nil
    }
  }

  /// How many clients have connections.
  var clients: Int { counts.withLock { $0.count } }
}
