internal import Callers
internal import Locks
internal import Synchronization
internal import Upstream

extension ClientAddress {
  /// The key that stands for the client when connections are shared.
  var key: ClientKey { ClientKey(kind: family, number: network) }
}

extension ClientKey {
  // No address family has this number.
  private static var callers: Int32 { 1 << 16 }

  /// The caller with this number, wherever its requests come from.
  init(caller: Int) { self.init(kind: Self.callers, number: UInt64(caller)) }
}

/// How many connections every client has, all loops together.
///
/// The kernel spreads a client's connections over the loops by chance, so a share of the limit for each loop would
/// refuse some clients long before others. The lock is taken once when a connection comes and once when it goes.
final class ClientCensus: Sendable {
  enum Admission {
    case counted
    /// It is not counted.
    case refused(ExchangeError)
  }

  private let limit: Atomic<Int>
  private let counts = Monitor<[ClientAddress: Int]>([:])

  /// - Parameter limit: how many connections a client may have.
  init(limit: Int) {
    self.limit = Atomic(limit)
  }

  /// Allows this many connections per client from now on. Clients that have more keep them.
  func change(limit: Int) { self.limit.store(limit, ordering: .relaxed) }

  /// Counts a connection of `client`, unless the client has reached its limit.
  ///
  /// - Parameter most: how many connections there is memory for, if that is less than the limit.
  func admit(_ client: ClientAddress, most: Int = .max) -> Admission {
    counts.withLock { counts in
      let count = counts[client, default: 0]
      guard count < limit.load(ordering: .relaxed) else { return .refused(.tooManyConnections) }
      guard count < most else { return .refused(.noMemoryForConnection) }
      counts[client] = count + 1
      return .counted
    }
  }

  /// A connection that was counted has ended.
  func leave(_ client: ClientAddress) {
    counts.withLock { counts in
      guard let count = counts[client] else { return }
      counts[client] = count > 1 ? count - 1 : nil
    }
  }

  /// How many clients have connections.
  var clients: Int { counts.withLock { $0.count } }
}

/// How a connection counts towards the limit of its client's connections.
enum ClientStanding {
  /// The client is not known yet.
  case unknown
  /// It is counted for this client.
  case counted(ClientAddress)
  /// It exceeds the limit; the client is told why.
  case refused(ExchangeError)
}
