import Foundation
import Locks
import Testing

@testable import Telemetry

@Suite("Metrics registry") struct MetricsRegistryTests {
  let registry = MetricsRegistry()

  var text: String { String(decoding: registry.exposition(), as: UTF8.self) }

  let requests = MetricDeclaration("requests_total", .counter, .requests, labels: [.route], "Requests.")
  let counted = MetricDeclaration("c_total", .counter, .requests, "c")
  let level = MetricDeclaration("g", .gauge, .requests, "g")

  @Test("shards of one series count for themselves, and are exposed as their sum")
  func shards() {
    let shards = (0..<2).map { _ in registry.counter(requests, [.route: "orders"]) }
    shards[0].increment()
    shards[1].increment(by: 41)
    #expect(shards.map(\.value) == [1, 41])
    #expect(
      text == """
        # HELP requests_total Requests.
        # TYPE requests_total counter
        requests_total{route="orders"} 42

        """)
  }

  @Test("nothing is lost when many threads increment the same and different shards")
  func concurrent() {
    let shared = registry.counter(counted)
    let own = (0..<4).map { _ in registry.counter(counted) }
    let gauge = registry.gauge(level)
    let histogram = registry.histogram(
      MetricDeclaration("h_seconds", .histogram(upperBounds: [1]), .requests, unit: .seconds, "h"))
    DispatchQueue.concurrentPerform(iterations: 4) { index in
      for _ in 0..<10_000 {
        shared.increment()
        own[index].increment(by: 2)
        gauge.add(3)
        gauge.subtract()
        histogram.observe(nanoseconds: 1_000_000)
      }
    }
    #expect(text.contains("\nc_total 120000\n"))
    #expect(text.contains("\ng 80000\n"))
    #expect(text.contains("\nh_seconds_bucket{le=\"1\"} 40000\n"))
    #expect(text.contains("\nh_seconds_sum 40\n"))
  }

  @Test("a histogram counts an observation in every bucket whose bound is not below it")
  func histogram() {
    let took = MetricDeclaration(
      "took_seconds", .histogram(upperBounds: [0.000_5, 0.01, 2]), .requests, unit: .seconds, labels: [.route], "Time.")
    let shards = (0..<2).map { _ in registry.histogram(took, [.route: "orders"]) }
    shards[0].observe(nanoseconds: 0)
    shards[0].observe(nanoseconds: 500_000)
    shards[1].observe(nanoseconds: 500_001)
    shards[1].observe(nanoseconds: 2_000_000_001)
    #expect(
      text == """
        # HELP took_seconds Time.
        # TYPE took_seconds histogram
        took_seconds_bucket{route="orders",le="0.0005"} 2
        took_seconds_bucket{route="orders",le="0.01"} 3
        took_seconds_bucket{route="orders",le="2"} 3
        took_seconds_bucket{route="orders",le="+Inf"} 4
        took_seconds_sum{route="orders"} 2.001000002
        took_seconds_count{route="orders"} 4

        """)
  }

  @Test("an observation is in the first bucket whose bound is not below it, of however many", arguments: 1...20)
  func buckets(_ count: Int) {
    let bounds = (1...count).map { Double($0) }
    let histogram = Histogram(upperBounds: bounds)
    var expected = Array(repeating: 0 as UInt64, count: count + 1)
    for bound in bounds {
      let nanoseconds = UInt64(bound) * 1_000_000_000
      for value in [nanoseconds - 1, nanoseconds, nanoseconds + 1] {
        histogram.observe(nanoseconds: value)
        expected[bounds.count { UInt64($0) * 1_000_000_000 < value }] += 1
      }
    }
    #expect(histogram.bucketCounts == expected)
  }

  @Test("gauges go below zero, and can be set")
  func gauges() {
    let first = registry.gauge(level)
    let second = registry.gauge(level)
    first.subtract(5)
    second.set(2)
    #expect(first.value == -5)
    #expect(text.hasSuffix("\ng -3\n"))
    first.set(1)
    #expect(text.hasSuffix("\ng 3\n"))
  }

  @Test("families and series come in the order of their names, whatever the order of registration")
  func order() {
    let other = MetricsRegistry()
    let series: [(name: String, route: String)] = [("b_total", "2"), ("a_total", "x"), ("b_total", "1")]
    func declaration(_ name: String) -> MetricDeclaration {
      MetricDeclaration(name, .counter, .requests, labels: [.route, .kind], "h")
    }
    for (name, route) in series { _ = registry.counter(declaration(name), [.route: route, .kind: "k"]) }
    for (name, route) in series.reversed() { _ = other.counter(declaration(name), [.kind: "k", .route: route]) }
    #expect(registry.exposition() == other.exposition())
    #expect(
      text.split(separator: "\n").filter { !$0.hasPrefix("#") } == [
        #"a_total{kind="k",route="x"} 0"#, #"b_total{kind="k",route="1"} 0"#, #"b_total{kind="k",route="2"} 0"#,
      ])
  }

  @Test("help texts and label values cannot end their line or their quotation marks")
  func escaping() {
    let hostile = MetricDeclaration("c_total", .counter, .requests, labels: [.route], "a\\b\n\"c\" 1")
    _ = registry.counter(hostile, [.route: "a\\b\"c\nd{},=é"])
    #expect(
      text == #"""
        # HELP c_total a\\b\n"c" 1
        # TYPE c_total counter
        c_total{route="a\\b\"c\nd{},=é"} 0

        """#)
  }

  @Test(
    "a figure that is read is written so that it reads back",
    arguments: [
      (0, "0"), (-0.25, "-0.25"), (1e15, "1000000000000000"), (.nan, "NaN"), (.infinity, "+Inf"), (-.infinity, "-Inf"),
      (1e300, "1e+300"),
    ])
  func read(_ value: Double, _ written: String) {
    registry.read(level) { value }
    #expect(text.hasSuffix("\ng \(written)\n"))
  }

  @Test("a metric with a read function is read at every exposition, and may use the registry")
  func reentrant() {
    let reads = Monitor(0)
    registry.read(counted) { [registry, level] in
      registry.gauge(level).set(1)
      return Double(
        reads.withLock {
          $0 += 1; return $0
        })
    }
    #expect(text.contains("\nc_total 1\n"))
    #expect(text.contains("\nc_total 2\n"))
  }

  @Test("a counter beyond what a Double can hold is exposed exactly")
  func large() {
    registry.counter(counted).increment(by: .max)
    #expect(text.hasSuffix("\nc_total 18446744073709551615\n"))
  }

  @Test("the process reports its memory, time, descriptors and start as Prometheus names them")
  func process() throws {
    registry.registerProcessMetrics()
    let samples = Dictionary(
      uniqueKeysWithValues: text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
        let parts = line.split(separator: " ")
        return (String(parts[0]), Double(parts[1]) ?? .nan)
      })
    let resident = try #require(samples["process_resident_memory_bytes"])
    let virtual = try #require(samples["process_virtual_memory_bytes"])
    let descriptors = try #require(samples["process_open_fds"])
    let limit = try #require(samples["process_max_fds"])
    let started = try #require(samples["process_start_time_seconds"])
    #expect(resident > 1_000_000 && resident < virtual)
    #expect(try #require(samples["process_cpu_seconds_total"]) > 0)
    #expect(descriptors >= 3 && descriptors < limit)
    #expect(abs(started - Date().timeIntervalSince1970) < 24 * 3600)
    #expect(samples.count == 6)
  }

  @Test("a metric that is used as another kind ends the program")
  func otherKind() async {
    await #expect(processExitsWith: .failure) { _ = MetricsRegistry().counter(.connections) }
    await #expect(processExitsWith: .failure) { _ = MetricsRegistry().gauge(.connectionsAccepted) }
    await #expect(processExitsWith: .failure) { _ = MetricsRegistry().histogram(.connections) }
    await #expect(processExitsWith: .failure) { MetricsRegistry().read(.tokenWait, [.route: "r"]) { 0 } }
    await #expect(processExitsWith: .success) { _ = MetricsRegistry().gauge(.connections) }
  }

  #if DEBUG
    @Test("labels that the metric does not declare, or not all that it does, end the program in debug builds")
    func undeclaredLabels() async {
      await #expect(processExitsWith: .failure) { _ = MetricsRegistry().counter(.requests, [.route: "r"]) }
      await #expect(processExitsWith: .failure) { _ = MetricsRegistry().gauge(.connections, [.route: "r"]) }
      await #expect(processExitsWith: .failure) {
        _ = MetricsRegistry().gauge(.tunnels, [.route: "r", .route: "s"])
      }
    }
  #endif
}
