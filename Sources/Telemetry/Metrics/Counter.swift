/// A figure that only grows: one shard of a series of ``MetricsRegistry``.
///
/// May be incremented from any thread; it is cheapest when every event loop has a shard of its own.
public final class Counter: Sendable {
  private let cells = AtomicCells(count: 1)

  init() {}

  /// Adds `amount`.
  public func increment(by amount: UInt64 = 1) {
    cells.add(amount, at: 0)
  }

  /// What this shard has counted; other shards of the series are not in it.
  public var value: UInt64 { cells.load(at: 0) }
}
