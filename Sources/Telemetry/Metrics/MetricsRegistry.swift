import Locks

/// The metrics of the process, and the text that Prometheus scrapes.
///
/// Everything is registered at start and then used without a look-up. Registering a name with the same labels again
/// gives another shard of the same series, so that every event loop can have its own; the exposition sums them.
/// The names, help texts and labels are the program's own: what breaks the rules of Prometheus' data model, or
/// contradicts an earlier registration, stops the program where it is registered.
public final class MetricsRegistry: Sendable {
  /// The media type of ``exposition()``.
  public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  private let families = Monitor<[String: MetricFamily]>([:])

  /// An empty registry.
  public init() {}

  /// A counter; by convention its name ends in `_total`.
  public func counter(_ name: String, help: String, labels: KeyValuePairs<String, String> = [:]) -> Counter {
    let counter = Counter()
    add(.counter(counter), .counter, name, help, labels)
    return counter
  }

  /// A gauge.
  public func gauge(_ name: String, help: String, labels: KeyValuePairs<String, String> = [:]) -> Gauge {
    let gauge = Gauge()
    add(.gauge(gauge), .gauge, name, help, labels)
    return gauge
  }

  /// A histogram of durations; by convention its name ends in `_seconds`. The bounds are in seconds, ascending, and
  /// the same for all series of a name.
  public func histogram(
    _ name: String, help: String, labels: KeyValuePairs<String, String> = [:],
    upperBounds: [Double] = Histogram.requestUpperBounds
  ) -> Histogram {
    let histogram = Histogram(upperBounds: upperBounds)
    add(.histogram(histogram), .histogram(upperBounds: upperBounds), name, help, labels)
    return histogram
  }

  /// A counter whose value is asked for at every exposition, on the thread that exposes.
  public func counter(
    _ name: String, help: String, labels: KeyValuePairs<String, String> = [:],
    read: @escaping @Sendable () -> Double
  ) {
    add(.read(read), .counter, name, help, labels)
  }

  /// A gauge whose value is asked for at every exposition, on the thread that exposes.
  public func gauge(
    _ name: String, help: String, labels: KeyValuePairs<String, String> = [:],
    read: @escaping @Sendable () -> Double
  ) {
    add(.read(read), .gauge, name, help, labels)
  }

  /// All metrics in the text format 0.0.4, ordered by name and labels.
  public func exposition() -> [UInt8] {
    // Rendered without the lock, so that a figure that is read may itself use the registry.
    let families = families.withLock { Array($0.values) }
    var text = PrometheusText()
    for family in families.sorted(by: { $0.name < $1.name }) { text.append(family) }
    return text.bytes
  }

  private func add(
    _ shard: MetricFamily.Shard, _ kind: MetricFamily.Kind, _ name: String, _ help: String,
    _ labels: KeyValuePairs<String, String>
  ) {
    precondition(MetricFamily.isMetricName(name), "\(name) is not a metric name that Prometheus allows")
    let identity = MetricFamily.identity(of: labels)
    families.withLock { families in
      // In place: with a family in hand its series would be copied, all of them, whenever one more is registered.
      families[name, default: MetricFamily(name: name, help: help, kind: kind)]
        .add(shard, to: identity, kind: kind, help: help)
    }
  }
}
