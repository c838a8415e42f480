internal import Synchronization

/// Counts the memory of buffers, TLS sessions and connections in the whole process, and compares it with a limit.
///
/// It changes only when memory is taken from the system or returned to it, not when a pool lends a buffer. A check costs one
/// load. What cannot be counted exactly, such as the memory of a TLS session, is charged as an estimate.
public final class MemoryAccount: Sendable {
  /// How close to the limit the account is.
  public enum Level: Int, Sendable, CaseIterable {
    /// There is no limit, or enough room.
    case plenty
    /// From half of the limit on: buffers are smaller, and unused ones are freed.
    case near
    /// From three quarters on: requests wait for room, and idle connections are closed.
    case tight
    /// At the limit: no new request starts.
    case full
  }

  // `Int.max` if there is no limit, so that a check is still one comparison.
  private let nearMark = Atomic<Int>(.max)
  private let tightMark = Atomic<Int>(.max)
  private let fullMark = Atomic<Int>(.max)
  private let total = Atomic<Int>(0)
  // The highest total since ``hasFallen(by:)`` last returned true.
  private let peak = Atomic<Int>(0)

  /// An empty account.
  public init(limit: Int?) {
    change(limit: limit)
  }

  /// The limit in bytes; nil for none. Any thread may use everything here.
  public var limit: Int? {
    let mark = fullMark.load(ordering: .relaxed)
    return mark == .max ? nil : mark
  }

  /// Sets the limit. Memory that is already taken stays taken.
  public func change(limit: Int?) {
    fullMark.store(limit ?? .max, ordering: .relaxed)
    nearMark.store(limit.map { $0 / 2 } ?? .max, ordering: .relaxed)
    tightMark.store(limit.map { $0 / 4 * 3 } ?? .max, ordering: .relaxed)
  }

  /// How many bytes are taken.
  public var taken: Int { total.load(ordering: .relaxed) }

  /// How many bytes may still be taken.
  public var room: Int { max(0, fullMark.load(ordering: .relaxed) - taken) }

  /// Whether the level is ``Level/near`` or above.
  public var isNear: Bool { taken >= nearMark.load(ordering: .relaxed) }
  /// Whether the level is ``Level/tight`` or above.
  public var isTight: Bool { taken >= tightMark.load(ordering: .relaxed) }
  /// Whether the level is ``Level/full``.
  public var isFull: Bool { taken >= fullMark.load(ordering: .relaxed) }

  /// How close to the limit it is now.
  public var level: Level {
    isFull ? .full : isTight ? .tight : isNear ? .near : .plenty
  }

  /// `bytes` were taken from the system.
  public func charge(_ bytes: Int) {
    let taken = total.wrappingAdd(bytes, ordering: .relaxed).newValue
    if taken > peak.load(ordering: .relaxed) { _ = peak.max(taken, ordering: .relaxed) }
  }

  /// `bytes` were given back to the system.
  public func release(_ bytes: Int) {
    total.wrappingSubtract(bytes, ordering: .relaxed)
  }

  /// Whether the total is `bytes` lower than its highest value since this last returned true.
  public func hasFallen(by bytes: Int) -> Bool {
    let (taken, highest) = (taken, peak.load(ordering: .relaxed))
    guard taken + bytes <= highest else { return false }
    // Only one of several threads gets true.
    return peak.compareExchange(expected: highest, desired: taken, ordering: .relaxed).exchanged
  }
}

/// Charges memory to an account for as long as this value lives.
public final class MemoryCharge: Sendable {
  private let account: MemoryAccount
  private let bytes: Int

  /// Charges `bytes`.
  public init(_ bytes: Int, to account: MemoryAccount) {
    self.account = account
    self.bytes = bytes
    account.charge(bytes)
  }

  deinit { account.release(bytes) }
}

/// Estimates, in bytes, for what connections take besides buffers: measured with 400 of each (docs/decisions/0014-memory.md),
/// and rounded up.
public enum MemoryCost {
  /// A client's connection: 2 KB of ours, and the kernel's socket.
  public static let client = 6 * 1024
  /// A TLS session with a client.
  public static let clientTLS = 16 * 1024
  /// The same, during the handshake.
  public static let handshake = 48 * 1024
  /// A request in progress: its task and its state.
  public static let request = 8 * 1024
  /// A connection to an upstream: 1 KB of ours, and the kernel's socket.
  public static let upstream = 5 * 1024
  /// The handles of libcurl: while it connects, and as long as TLS is in use.
  public static let transfer = 12 * 1024
  /// A TLS session with an upstream: libcurl makes a context for each.
  public static let upstreamTLS = 64 * 1024
}
