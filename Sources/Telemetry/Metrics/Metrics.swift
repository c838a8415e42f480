import Synchronization

/// A row of 64-bit atomics that shares no cache line with anything else.
///
/// Every event loop counts in its own cells. If two loops wrote to one line, it would move between their cores at every
/// request. So a row is aligned and padded to a multiple of 128 bytes: two lines, because the prefetcher of common
/// processors fetches them in pairs.
@safe struct AtomicCells: ~Copyable, Sendable {
  private static var alignment: Int { 128 }

  let count: Int

  // Owned by this value only, initialised for its whole life, and accessed only as atomics.
  nonisolated(unsafe) private let cells: UnsafeMutablePointer<Atomic<UInt64>>

  /// `count` cells, each 0.
  init(count: Int) {
    self.count = count
    let used = count * MemoryLayout<Atomic<UInt64>>.stride
    let padded = (used + Self.alignment - 1) / Self.alignment * Self.alignment
    let memory = UnsafeMutableRawPointer.allocate(byteCount: padded, alignment: Self.alignment)
    unsafe cells = memory.bindMemory(to: Atomic<UInt64>.self, capacity: count)
    for index in 0..<count { unsafe (cells + index).initialize(to: Atomic(0)) }
  }

  deinit {
    unsafe cells.deinitialize(count: count)
    unsafe UnsafeMutableRawPointer(cells).deallocate()
  }

  /// Adds `amount`, wrapping, to the cell at `index`.
  @inline(__always)
  func add(_ amount: UInt64, at index: Int) {
    precondition(index >= 0 && index < count, "there is no such cell")
    unsafe cells[index].wrappingAdd(amount, ordering: .relaxed)
  }

  /// Replaces the value of the cell at `index`.
  func store(_ value: UInt64, at index: Int) {
    precondition(index >= 0 && index < count, "there is no such cell")
    unsafe cells[index].store(value, ordering: .relaxed)
  }

  /// The value of the cell at `index`.
  func load(at index: Int) -> UInt64 {
    precondition(index >= 0 && index < count, "there is no such cell")
    return unsafe cells[index].load(ordering: .relaxed)
  }
}

/// A metric that only grows: one shard of a series of ``MetricsRegistry``.
///
/// Any thread may increment it; it is cheapest if every event loop has its own shard.
public final class Counter: Sendable {
  private let cells = AtomicCells(count: 1)

  init() {}

  /// Adds `amount`.
  public func increment(by amount: UInt64 = 1) {
    cells.add(amount, at: 0)
  }

  /// The count of this shard, without the other shards of the series.
  public var value: UInt64 { cells.load(at: 0) }
}

/// A metric that goes up and down: one shard of a series of ``MetricsRegistry``, whose value is the sum of its shards.
///
/// Any thread may change it; it is cheapest if every event loop has its own shard.
public final class Gauge: Sendable {
  // The two's complement of the value: additions wrap in the same way.
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

  /// The value of this shard, without the other shards of the series.
  public var value: Int64 { Int64(bitPattern: cells.load(at: 0)) }
}

/// The distribution of durations over fixed buckets: one shard of a series of ``MetricsRegistry``.
///
/// Any thread may observe; it is cheapest if every event loop has its own shard.
public final class Histogram: Sendable {
  /// Upper bounds, in seconds, for the duration of a request: from a response of the proxy itself to a client's usual timeout.
  public static let requestUpperBounds: [Double] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
  ]

  private let upperBounds: [UInt64]
  // One cell per bucket, one for what exceeds every bound, and last the sum in nanoseconds.
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
    // A binary search whose only branch is the loop's: a comparison becomes an addition, which is never mispredicted.
    var bucket = 0
    var length = upperBounds.count
    while length > 0 {
      let half = (length &+ 1) / 2
      bucket &+= upperBounds[bucket &+ half &- 1] < nanoseconds ? half : 0
      length &-= half
    }
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
