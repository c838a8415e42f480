import Testing

@testable import Telemetry

@Suite(
  "Prometheus text, read by prometheus_client",
  .enabled(
    if: PrometheusClient.isAvailable, "the Python package prometheus_client is not there and cannot be installed")
)
struct PrometheusTextTests {
  @Test("every sample, label and help text reads back as it was registered")
  func readBack() throws {
    let hostile = "a\\b\\n\"c\"\nd{x=\"y\"} 1 # é\u{2028}"
    let registry = MetricsRegistry()
    let requests = MetricDeclaration(
      "requests_total", .counter, .requests, labels: [.route, .kind], "Re\\quests\nof all.")
    registry.counter(requests, [.route: hostile, .kind: ""]).increment(by: 7)
    registry.gauge(MetricDeclaration("open_connections", .gauge, .connections, "Open.")).set(-3)
    let histogram = registry.histogram(
      MetricDeclaration(
        "took_seconds", .histogram(upperBounds: [0.001, 1]), .requests, unit: .seconds, labels: [.route], "Time."),
      [.route: hostile])
    histogram.observe(nanoseconds: 1_500_000)
    histogram.observe(nanoseconds: 3_000_000_000)

    typealias Sample = PrometheusClient.Sample
    func took(_ name: String, labels: [String: String] = [:], _ value: String) -> Sample {
      Sample(
        family: "took_seconds", type: "histogram", help: "Time.", name: "took_seconds_\(name)",
        labels: ["route": hostile].merging(labels) { $1 }, value: value)
    }
    #expect(
      try PrometheusClient.samples(of: registry.exposition()) == [
        Sample(
          family: "open_connections", type: "gauge", help: "Open.", name: "open_connections", labels: [:],
          value: "-3.0"),
        Sample(
          family: "requests", type: "counter", help: "Re\\quests\nof all.", name: "requests_total",
          labels: ["route": hostile, "kind": ""], value: "7.0"),
        took("bucket", labels: ["le": "0.001"], "0.0"),
        took("bucket", labels: ["le": "1"], "1.0"),
        took("bucket", labels: ["le": "+Inf"], "2.0"),
        took("sum", "3.0015"),
        took("count", "2.0"),
      ])
  }

  @Test("the metrics of the process and the bounds of every default bucket parse as numbers")
  func process() throws {
    let registry = MetricsRegistry()
    registry.registerProcessMetrics()
    registry.read(MetricDeclaration("unknown", .gauge, .process, "u")) { .nan }
    _ = registry.histogram(.requestDuration, [.route: "orders"])
    let samples = try PrometheusClient.samples(of: registry.exposition())
    #expect(samples.count { $0.name.hasPrefix("process_") } == 6)
    #expect(samples.first { $0.name == "unknown" }?.value == "nan")
    let bounds = samples.compactMap { $0.labels["le"] }.compactMap(Double.init)
    #expect(bounds == Histogram.requestUpperBounds + [.infinity])
  }
}
