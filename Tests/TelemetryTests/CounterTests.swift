import Telemetry
import Testing

@Suite("Counters") struct CounterTests {
  @Test("shards count for themselves, and are exposed as their sum")
  func shards() {
    let registry = MetricsRegistry()
    let shards = (0..<2).map { _ in registry.counter("requests_total", help: "Requests.", labels: ["route": "orders"]) }
    shards[0].increment()
    shards[1].increment(by: 41)
    #expect(shards.map(\.value) == [1, 41])
    let text = String(decoding: registry.exposition(), as: UTF8.self)
    #expect(text.contains("\nrequests_total{route=\"orders\"} 42\n"))
  }
}
