internal import Synchronization

/// How much memory buffers, TLS sessions and connections take in the whole process, and how close that is to a limit.
///
/// It changes only when memory is taken from the system or given back to it, not when a pool lends what it has. Looking at it
/// costs one load. What cannot be counted exactly, such as the memory of a TLS session, is charged as an estimate.
public final class MemoryAccount: Sendable {
  /// How close to the limit the account is.
  public enum Level: Int, Sendable, CaseIterable {
    /// There is no limit, or enough room.
    case plenty
    /// From half of the limit on: buffers are smaller, and unused ones are freed.
    case near
    /// From three quarters on: requests wait for room, and idle connections are closed.
    case tight
    /// At the limit: no request begins.
    case full
  }

  // `Int.max` where there is no limit: then each look is still one comparison.
  private let nearMark = Atomic<Int>(.max)
  private let tightMark = Atomic<Int>(.max)
  private let fullMark = Atomic<Int>(.max)
  private let total = Atomic<Int>(0)
  // The most that was taken since the last ``hasFallen(by:)`` that was true.
  private let peak = Atomic<Int>(0)

  /// An account of nothing so far.
  public init(limit: Int?) {
    change(limit: limit)
  }

  /// The most bytes that may be taken; nil for no limit. From any thread, like everything here.
  public var limit: Int? {
    let mark = fullMark.load(ordering: .relaxed)
    return mark == .max ? nil : mark
  }

  /// From now on `limit` holds. What is taken already stays taken.
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

  /// Whether `bytes` less are taken than at the highest point since this was true the last time.
  public func hasFallen(by bytes: Int) -> Bool {
    let (taken, highest) = (taken, peak.load(ordering: .relaxed))
    guard taken + bytes <= highest else { return false }
    // Of several threads one is told so.
    return peak.compareExchange(expected: highest, desired: taken, ordering: .relaxed).exchanged
  }
}

/// Something whose memory counts in an account for as long as this value lives.
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

/// What connections take beside buffers, in bytes, as estimates for a ``MemoryAccount``: measured with 400 of each
/// (docs/decisions/0014-memory.md), and rounded up.
public enum MemoryCost {
  /// A client's connection: 2 KB of ours, and the kernel's socket.
  public static let client = 6 * 1024
  /// A client's session of TLS.
  public static let clientTLS = 16 * 1024
  /// The same during the handshake.
  public static let handshake = 48 * 1024
  /// A request under way: its task, and what is known of it.
  public static let request = 8 * 1024
  /// A connection to an upstream: 1 KB of ours, and the kernel's socket.
  public static let upstream = 5 * 1024
  /// The handles of libcurl: while it connects, and as long as there is TLS.
  public static let transfer = 12 * 1024
  /// A session of TLS with an upstream: libcurl makes a context for each.
  public static let upstreamTLS = 64 * 1024
}
