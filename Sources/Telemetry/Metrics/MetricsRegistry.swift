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

  /// A counter whose value is read at every exposition, on the thread that exposes.
  public func counter(
    _ name: String, help: String, labels: KeyValuePairs<String, String> = [:],
    read: @escaping @Sendable () -> Double
  ) {
    add(.read(read), .counter, name, help, labels)
  }

  /// A gauge whose value is read at every exposition, on the thread that exposes.
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

/// All series of one metric name.
struct MetricFamily: Sendable {
  /// What a family measures, and what its `# TYPE` line says.
  enum Kind: Equatable, Sendable {
    case counter
    case gauge
    case histogram(upperBounds: [Double])
  }

  /// One part of a series, as registered by one component.
  enum Shard: Sendable {
    case counter(Counter)
    case gauge(Gauge)
    case histogram(Histogram)
    case read(@Sendable () -> Double)
  }

  let name: String
  let help: String
  let kind: Kind
  /// The shards of every series, by the series' labels as they are exposed, without braces.
  var series: [String: [Shard]] = [:]

  /// Adds a shard to the series with these labels. Registering a name again requires the same kind and help.
  mutating func add(_ shard: Shard, to identity: String, kind: Kind, help: String) {
    precondition(self.kind == kind && self.help == help, "\(name) is registered as something else already")
    series[identity, default: []].append(shard)
  }

  /// The labels as they are exposed, in the order of their names: the identity of a series.
  static func identity(of labels: KeyValuePairs<String, String>) -> String {
    var names: Set<String> = []
    for (name, _) in labels {
      precondition(isLabelName(name), "\(name) is not a label name that Prometheus allows")
      precondition(names.insert(name).inserted, "the label \(name) is given twice")
    }
    return labels.sorted { $0.key < $1.key }
      .map { "\($0.key)=\"\(escaped($0.value, quotes: true))\"" }
      .joined(separator: ",")
  }

  /// `text` with the characters escaped that end a line, and in a label value a value, early.
  static func escaped(_ text: String, quotes: Bool) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": escaped += "\\\\"
      case "\n": escaped += "\\n"
      case "\"" where quotes: escaped += "\\\""
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  /// Whether `name` is a metric name of the Prometheus data model.
  static func isMetricName(_ name: String) -> Bool {
    isName(name) { $0 == UInt8(ascii: ":") }
  }

  // `le` belongs to the buckets of histograms, and two leading underscores to Prometheus itself.
  private static func isLabelName(_ name: String) -> Bool {
    isName(name) { _ in false } && name != "le" && !name.hasPrefix("__")
  }

  private static func isName(_ name: String, or isExtra: (UInt8) -> Bool) -> Bool {
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    guard let first = name.utf8.first, !digits.contains(first) else { return false }
    return name.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
      default: digits.contains(byte) || isExtra(byte)
      }
    }
  }
}
