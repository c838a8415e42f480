import Foundation
import Locks
import Telemetry
import Testing

@Suite("Metrics registry") struct MetricsRegistryTests {
  let registry = MetricsRegistry()

  var text: String { String(decoding: registry.exposition(), as: UTF8.self) }

  @Test("shards of one series count for themselves, and are exposed as their sum")
  func shards() {
    let shards = (0..<2).map { _ in registry.counter("requests_total", help: "Requests.", labels: ["route": "orders"]) }
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
    let shared = registry.counter("c_total", help: "c")
    let own = (0..<4).map { _ in registry.counter("c_total", help: "c") }
    let gauge = registry.gauge("g", help: "g")
    let histogram = registry.histogram("h_seconds", help: "h", upperBounds: [1])
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
    let labels: KeyValuePairs = ["route": "orders"]
    let shards = (0..<2).map { _ in
      registry.histogram("took_seconds", help: "Time.", labels: labels, upperBounds: [0.000_5, 0.01, 2])
    }
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

  @Test("gauges go below zero, and can be set")
  func gauges() {
    let first = registry.gauge("open", help: "o")
    let second = registry.gauge("open", help: "o")
    first.subtract(5)
    second.set(2)
    #expect(first.value == -5)
    #expect(text.hasSuffix("\nopen -3\n"))
    first.set(1)
    #expect(text.hasSuffix("\nopen 3\n"))
  }

  @Test("families and series come in the order of their names, whatever the order of registration")
  func order() {
    let other = MetricsRegistry()
    let series: [(name: String, route: String)] = [("b_total", "2"), ("a_total", "x"), ("b_total", "1")]
    for (name, route) in series { _ = registry.counter(name, help: "h", labels: ["route": route, "kind": "k"]) }
    for (name, route) in series.reversed() {
      _ = other.counter(name, help: "h", labels: ["kind": "k", "route": route])
    }
    #expect(registry.exposition() == other.exposition())
    #expect(
      text.split(separator: "\n").filter { !$0.hasPrefix("#") } == [
        #"a_total{kind="k",route="x"} 0"#, #"b_total{kind="k",route="1"} 0"#, #"b_total{kind="k",route="2"} 0"#,
      ])
  }

  @Test("help texts and label values cannot end their line or their quotation marks")
  func escaping() {
    _ = registry.counter("c_total", help: "a\\b\n\"c\" 1", labels: ["v": "a\\b\"c\nd{},=é"])
    #expect(
      text == #"""
        # HELP c_total a\\b\n"c" 1
        # TYPE c_total counter
        c_total{v="a\\b\"c\nd{},=é"} 0

        """#)
  }

  @Test(
    "a figure that is read is written so that it reads back",
    arguments: [
      (0, "0"), (-0.25, "-0.25"), (1e15, "1000000000000000"), (.nan, "NaN"), (.infinity, "+Inf"), (-.infinity, "-Inf"),
      (1e300, "1e+300"),
    ])
  func read(_ value: Double, _ written: String) {
    registry.gauge("g", help: "g") { value }
    #expect(text.hasSuffix("\ng \(written)\n"))
  }

  @Test("a figure that is read is read at every exposition, and may use the registry itself")
  func reentrant() {
    let reads = Monitor(0)
    registry.counter("c_total", help: "c") { [registry] in
      registry.gauge("registered", help: "late").set(1)
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
    registry.counter("c_total", help: "c").increment(by: .max)
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
}
