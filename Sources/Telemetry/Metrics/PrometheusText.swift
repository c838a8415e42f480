/// Writes metric families in Prometheus' text exposition format 0.0.4.
struct PrometheusText {
  private(set) var bytes: [UInt8] = []

  /// Appends the `# HELP` and `# TYPE` lines of `family` and a line for each of its samples.
  mutating func append(_ family: MetricFamily) {
    let declaration = family.declaration
    line("# HELP \(declaration.name) \(MetricFamily.escaped(declaration.help, quotes: false))")
    line("# TYPE \(declaration.name) \(declaration.kind.name)")
    for (labels, shards) in family.series.sorted(by: { $0.key < $1.key }) {
      switch declaration.kind {
      case .histogram(let upperBounds): append(declaration.name, labels, shards, upperBounds)
      case .counter, .gauge: sample(declaration.name, labels, Self.total(of: shards))
      }
    }
  }

  private mutating func append(
    _ name: String, _ labels: String, _ shards: [MetricFamily.Shard], _ upperBounds: [Double]
  ) {
    var buckets = [UInt64](repeating: 0, count: upperBounds.count + 1)
    var sum: UInt64 = 0
    for case .histogram(let histogram) in shards {
      for (index, count) in histogram.bucketCounts.enumerated() { buckets[index] &+= count }
      sum &+= histogram.sum
    }
    let separator = labels.isEmpty ? "" : ","
    var count: UInt64 = 0
    for (bound, inBucket) in zip(upperBounds.map(Self.text) + ["+Inf"], buckets) {
      count &+= inBucket
      sample("\(name)_bucket", "\(labels)\(separator)le=\"\(bound)\"", "\(count)")
    }
    sample("\(name)_sum", labels, Self.seconds(nanoseconds: sum))
    // Counted from the buckets, so that the two agree whatever is observed in the meantime.
    sample("\(name)_count", labels, "\(count)")
  }

  private mutating func sample(_ name: String, _ labels: String, _ value: String) {
    line(labels.isEmpty ? "\(name) \(value)" : "\(name){\(labels)} \(value)")
  }

  private mutating func line(_ text: String) {
    bytes.append(contentsOf: text.utf8)
    bytes.append(UInt8(ascii: "\n"))
  }

  private static func total(of shards: [MetricFamily.Shard]) -> String {
    var counted: UInt64 = 0
    var level: Int64 = 0
    var read: Double?
    for shard in shards {
      switch shard {
      case .counter(let counter): counted &+= counter.value
      case .gauge(let gauge): level &+= gauge.value
      case .read(let value): read = (read ?? 0) + value()
      case .histogram: preconditionFailure("a histogram is no part of a counter or gauge")
      }
    }
    // A family has counters or gauges, never both; integers are written as such, however large.
    if let read { return text(read + Double(counted) + Double(level)) }
    return counted > 0 ? "\(counted)" : "\(level)"
  }

  /// `value` in a form that Prometheus reads back; whole numbers have no fraction.
  static func text(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    if let whole = Int64(exactly: value) { return "\(whole)" }
    return "\(value)"
  }

  private static func seconds(nanoseconds: UInt64) -> String {
    let (whole, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
    guard rest > 0 else { return "\(whole)" }
    var digits = "\(rest)"
    digits = String(repeating: "0", count: 9 - digits.utf8.count) + digits
    while digits.utf8.last == UInt8(ascii: "0") { digits.removeLast() }
    return "\(whole).\(digits)"
  }
}
