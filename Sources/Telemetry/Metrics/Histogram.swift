/// How durations are distributed over fixed buckets: one shard of a series of ``MetricsRegistry``.
///
/// May be given observations from any thread; it is cheapest when every event loop has a shard of its own.
public final class Histogram: Sendable {
  /// Upper bounds, in seconds, for the time a request takes: from a local answer to a client's usual timeout.
  public static let requestUpperBounds: [Double] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
  ]

  private let upperBounds: [UInt64]
  // One cell a bucket, one for what exceeds every bound, and last the sum in nanoseconds.
  private let cells: AtomicCells

  init(upperBounds seconds: [Double]) {
    precondition(!seconds.isEmpty, "a histogram has at least one upper bound")
    precondition(
      seconds.allSatisfy { $0 > 0 && $0 < 1e9 } && zip(seconds, seconds.dropFirst()).allSatisfy { $0 < $1 },
      "the upper bounds of a histogram are positive, finite and ascending")
    upperBounds = seconds.map { UInt64(($0 * 1e9).rounded()) }
    cells = AtomicCells(count: seconds.count + 2)
  }

  /// Counts one duration in the first bucket whose upper bound is not below it.
  public func observe(nanoseconds: UInt64) {
    // Without a branch a bound: mispredicted ones would cost more than looking at all of them.
    var bucket = 0
    for bound in upperBounds { bucket &+= nanoseconds > bound ? 1 : 0 }
    cells.add(1, at: bucket)
    cells.add(nanoseconds, at: cells.count - 1)
  }

  /// How many observations fell into each bucket; the last one has no upper bound.
  var bucketCounts: [UInt64] {
    (0...upperBounds.count).map { cells.load(at: $0) }
  }

  /// The sum of all observations, in nanoseconds.
  var sum: UInt64 { cells.load(at: cells.count - 1) }
}
