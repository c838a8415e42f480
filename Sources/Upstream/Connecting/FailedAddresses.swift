internal import Addresses
internal import Locks
internal import Reactor

/// The addresses that connections could not be made to, and until when others are tried before them: a value.
struct FailedAddresses {
  private struct Endpoint: Hashable {
    let address: IPAddress
    let port: UInt16
  }

  // How long an address that failed is tried last.
  private static var penalty: Duration { .seconds(30) }
  // After that, one connection tries it, and others within this time do not.
  private static var trial: Duration { .seconds(2) }

  private let limit: Int
  private var until: [Endpoint: Instant] = [:]

  /// - Parameter limit: how many addresses are remembered.
  init(limit: Int) {
    self.limit = limit
  }

  /// How many addresses have failed, and have not worked since.
  var count: Int { until.count }

  /// A connection to `address` could not be made, or one to another address that began later was made first.
  mutating func failed(_ address: IPAddress, port: UInt16, at now: Instant) {
    let endpoint = Endpoint(address: address, port: port)
    if until.count >= limit, until[endpoint] == nil, let oldest = until.min(by: { $0.value < $1.value }) {
      until[oldest.key] = nil
    }
    until[endpoint] = now + Self.penalty
  }

  /// A connection to `address` was made.
  mutating func worked(_ address: IPAddress, port: UInt16) {
    until[Endpoint(address: address, port: port)] = nil
  }

  /// `addresses` in the order in which to try them: families in turn (RFC 8305 section 4), and addresses that failed
  /// lately at the end, in the order of their failures.
  mutating func order(_ addresses: [IPAddress], port: UInt16, at now: Instant) -> [IPAddress] {
    let turns = Self.alternating(addresses)
    guard !until.isEmpty else { return turns }
    var good: [IPAddress] = []
    var bad: [(address: IPAddress, until: Instant)] = []
    for address in turns {
      if let end = until[Endpoint(address: address, port: port)], end > now {
        bad.append((address, end))
      } else {
        good.append(address)
      }
    }
    if let first = good.first, until[Endpoint(address: first, port: port)] != nil {
      until[Endpoint(address: first, port: port)] = now + Self.trial
    }
    // Sorting is not guaranteed to be stable, so equal moments are ordered by position.
    let late = bad.enumerated().sorted { ($0.element.until, $0.offset) < ($1.element.until, $1.offset) }
    return good + late.map(\.element.address)
  }

  /// `addresses` with their families in turn, beginning with that of the first one.
  static func alternating(_ addresses: [IPAddress]) -> [IPAddress] {
    guard let first = addresses.first else { return [] }
    let same = addresses.filter { $0.isV6 == first.isV6 }
    let other = addresses.filter { $0.isV6 != first.isV6 }
    var turns: [IPAddress] = []
    for index in 0..<max(same.count, other.count) {
      if index < same.count { turns.append(same[index]) }
      if index < other.count { turns.append(other[index]) }
    }
    return turns
  }
}

extension IPAddress {
  fileprivate var isV6: Bool { if case .v6 = self { true } else { false } }
}

/// What a process knows of the names and addresses that it connects to, for all loops.
public final class KnownAddresses: Sendable {
  let names: NameResolver
  private let failed = Monitor(FailedAddresses(limit: 1024))

  /// Nothing yet.
  public init(names: NameResolver = NameResolver()) {
    self.names = names
  }

  func failed(_ address: IPAddress, port: UInt16) {
    failed.withLock { $0.failed(address, port: port, at: .now) }
  }

  func worked(_ address: IPAddress, port: UInt16) {
    failed.withLock { $0.worked(address, port: port) }
  }

  func order(_ addresses: [IPAddress], port: UInt16) -> [IPAddress] {
    failed.withLock { $0.order(addresses, port: port, at: .now) }
  }
}
