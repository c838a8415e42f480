/// A figure that goes up and down: one shard of a series of ``MetricsRegistry``, whose value is the sum of its shards.
///
/// May be changed from any thread; it is cheapest when every event loop has a shard of its own.
public final class Gauge: Sendable {
  // The two's complement of the value: additions wrap alike.
  private let cells = AtomicCells(count: 1)

  init() {}

  /// Adds `amount`.
  public func add(_ amount: Int64 = 1) {
    cells.add(UInt64(bitPattern: amount), at: 0)
  }

  /// Subtracts `amount`.
  public func subtract(_ amount: Int64 = 1) {
    cells.add(0 &- UInt64(bitPattern: amount), at: 0)
  }

  /// Makes `value` the value of this shard.
  public func set(_ value: Int64) {
    cells.store(UInt64(bitPattern: value), at: 0)
  }

  /// The value of this shard; other shards of the series are not in it.
  public var value: Int64 { Int64(bitPattern: cells.load(at: 0)) }
}
