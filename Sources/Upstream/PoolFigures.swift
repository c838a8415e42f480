internal import Synchronization

/// How many connections one or several pools have, for the metrics; read and written from any thread.
public final class PoolFigures: Sendable {
  private let openCount = Atomic<Int>(0)
  private let idleCount = Atomic<Int>(0)
  private let waitingCount = Atomic<Int>(0)
  private let pinnedCount = Atomic<Int>(0)
  /// What metrics call the upstreams of the pools; nil to use the names of their origins.
  let upstream: String?

  /// All zero.
  public init(upstream: String? = nil) {
    self.upstream = upstream
  }

  /// Connections that are open or being made, idle ones included.
  public var open: Int { openCount.load(ordering: .relaxed) }
  /// Connections that are not in use.
  public var idle: Int { idleCount.load(ordering: .relaxed) }
  /// Requests that wait for a connection.
  public var waiting: Int { waitingCount.load(ordering: .relaxed) }
  /// Connections that belong to one client.
  public var pinned: Int { pinnedCount.load(ordering: .relaxed) }

  func add(open: Int, idle: Int, waiting: Int) {
    if open != 0 { openCount.wrappingAdd(open, ordering: .relaxed) }
    if idle != 0 { idleCount.wrappingAdd(idle, ordering: .relaxed) }
    if waiting != 0 { waitingCount.wrappingAdd(waiting, ordering: .relaxed) }
  }

  func add(pinned: Int) { pinnedCount.wrappingAdd(pinned, ordering: .relaxed) }
}
