import Locks

/// The metrics of the process, and the text that Prometheus scrapes.
///
/// Everything is registered at start and then used without a lookup. Registering a metric again with the same labels
/// returns another shard of the same series, so that every event loop can have its own; the exposition sums them.
public final class MetricsRegistry: Sendable {
  /// The media type of ``exposition()``.
  public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  /// The labels of one series, with a value for each label that the metric declares.
  public typealias Labels = KeyValuePairs<MetricLabel, String>

  private let families = Monitor<[String: MetricFamily]>([:])

  /// An empty registry.
  public init() {}

  /// A series of `metric`, which is declared as a counter.
  public func counter(_ metric: Metric, _ labels: Labels = [:]) -> Counter {
    counter(metric.declaration, labels)
  }

  /// A series of `metric`, which is declared as a gauge.
  public func gauge(_ metric: Metric, _ labels: Labels = [:]) -> Gauge {
    gauge(metric.declaration, labels)
  }

  /// A series of `metric`, which is declared as a histogram.
  public func histogram(_ metric: Metric, _ labels: Labels = [:]) -> Histogram {
    histogram(metric.declaration, labels)
  }

  /// A series of `metric`, a counter or a gauge, whose value is read at every exposition, on the exposing thread.
  public func read(_ metric: Metric, _ labels: Labels = [:], value: @escaping @Sendable () -> Double) {
    read(metric.declaration, labels, value: value)
  }

  func counter(_ declaration: MetricDeclaration, _ labels: Labels = [:]) -> Counter {
    precondition(declaration.kind == .counter, "\(declaration.name) is not declared as a counter")
    let counter = Counter()
    add(.counter(counter), declaration, labels)
    return counter
  }

  func gauge(_ declaration: MetricDeclaration, _ labels: Labels = [:]) -> Gauge {
    precondition(declaration.kind == .gauge, "\(declaration.name) is not declared as a gauge")
    let gauge = Gauge()
    add(.gauge(gauge), declaration, labels)
    return gauge
  }

  func histogram(_ declaration: MetricDeclaration, _ labels: Labels = [:]) -> Histogram {
    guard case .histogram(let upperBounds) = declaration.kind else {
      preconditionFailure("\(declaration.name) is not declared as a histogram")
    }
    let histogram = Histogram(upperBounds: upperBounds)
    add(.histogram(histogram), declaration, labels)
    return histogram
  }

  func read(_ declaration: MetricDeclaration, _ labels: Labels = [:], value: @escaping @Sendable () -> Double) {
    precondition(
      declaration.kind == .counter || declaration.kind == .gauge, "\(declaration.name) is not one number, to be read")
    add(.read(value), declaration, labels)
  }

  /// Removes the series of `metric` with `labels`.
  public func remove(_ metric: Metric, _ labels: Labels = [:]) {
    let identity = MetricFamily.identity(of: labels)
    families.withLock { families in
      families[metric.declaration.name]?.remove { $0 == identity }
      if families[metric.declaration.name]?.series.isEmpty == true { families[metric.declaration.name] = nil }
    }
  }

  /// Removes all series whose `label` has one of `values`. Counters and gauges still held for them count nowhere.
  public func remove(_ label: MetricLabel, _ values: String...) { remove(label, values) }

  /// Removes all series whose `label` has one of `values`.
  public func remove(_ label: MetricLabel, _ values: some Sequence<String>) {
    let parts = Set(values.map { MetricFamily.identity(of: [label: $0]) })
    guard !parts.isEmpty else { return }
    families.withLock { families in
      for (name, family) in families where family.declaration.labels.contains(label) {
        families[name]?.remove { identity in MetricFamily.labels(in: identity).contains { parts.contains(String($0)) } }
        if families[name]?.series.isEmpty == true { families[name] = nil }
      }
    }
  }

  /// All metrics in the text format 0.0.4, ordered by name and labels.
  public func exposition() -> [UInt8] {
    // Rendered without the lock, so that reading a value may itself use the registry.
    let families = families.withLock { Array($0.values) }
    var text = PrometheusText()
    for family in families.sorted(by: { $0.declaration.name < $1.declaration.name }) { text.append(family) }
    return text.bytes
  }

  private func add(_ shard: MetricFamily.Shard, _ declaration: MetricDeclaration, _ labels: Labels) {
    assert(
      labels.map(\.key.rawValue).sorted() == declaration.labels.map(\.rawValue).sorted(),
      "\(declaration.name) has the labels \(declaration.labels), and is given \(labels.map(\.key))")
    let identity = MetricFamily.identity(of: labels)
    families.withLock { families in
      // In place: a copy of the family in a variable would make each registration copy all of its series.
      families[declaration.name, default: MetricFamily(declaration)].add(shard, to: identity, declaration)
    }
  }
}

/// All series of one metric.
struct MetricFamily: Sendable {
  /// One part of a series, registered by one component.
  enum Shard: Sendable {
    case counter(Counter)
    case gauge(Gauge)
    case histogram(Histogram)
    case read(@Sendable () -> Double)
  }

  let declaration: MetricDeclaration
  /// The shards of every series, by the exposed labels of the series, without braces.
  private(set) var series: [String: [Shard]] = [:]

  init(_ declaration: MetricDeclaration) {
    self.declaration = declaration
  }

  /// Adds a shard to the series with these labels.
  mutating func add(_ shard: Shard, to identity: String, _ declaration: MetricDeclaration) {
    precondition(self.declaration == declaration, "\(declaration.name) is declared twice")
    series[identity, default: []].append(shard)
  }

  /// Removes the series for whose identities `isObsolete` returns true.
  mutating func remove(_ isObsolete: (String) -> Bool) {
    series = series.filter { !isObsolete($0.key) }
  }

  /// The labels of a series with this identity, each with its value.
  static func labels(in identity: String) -> [Substring] {
    // A quotation mark inside a value follows a backslash.
    var labels: [Substring] = []
    var start = identity.startIndex
    var isEscaped = false
    var isQuoted = false
    for index in identity.indices {
      switch identity[index] {
      case _ where isEscaped: isEscaped = false
      case "\\": isEscaped = true
      case "\"": isQuoted.toggle()
      case "," where !isQuoted:
        labels.append(identity[start..<index])
        start = identity.index(after: index)
      default: break
      }
    }
    if start < identity.endIndex { labels.append(identity[start...]) }
    return labels
  }

  /// The labels as exposed, in the order of their names: the identity of a series.
  static func identity(of labels: MetricsRegistry.Labels) -> String {
    labels.sorted { $0.key.rawValue < $1.key.rawValue }
      .map { "\($0.key.rawValue)=\"\(escaped($0.value, quotes: true))\"" }
      .joined(separator: ",")
  }

  /// `text` with characters escaped that would end a line, or a label value, early.
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
}
