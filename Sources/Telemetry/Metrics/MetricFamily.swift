/// All series of one metric name.
struct MetricFamily: Sendable {
  /// What a family measures, and what its `# TYPE` line says.
  enum Kind: Equatable, Sendable {
    case counter
    case gauge
    case histogram(upperBounds: [Double])
  }

  /// One part of a series: what somebody registered.
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

  /// Adds a shard to the series with these labels. Whoever registers a name again has to say the same of it.
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
