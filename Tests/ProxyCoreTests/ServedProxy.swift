import Configuration
import Logging
import LoopbackTesting
import Outbound
import Reactor
import Telemetry
import Upstream

@testable import ProxyCore

/// A worker on a loop of its own, with one route to an origin that a test plays.
final class ServedProxy: Sendable {
  let port: UInt16
  private let running: RunningLoop
  private let worker: Worker

  init(origin: UInt16, change: (inout ProxyConfiguration) -> Void = { _ in }) throws {
    running = try RunningLoop()
    let loop = running.loop
    var configuration = ProxyConfiguration(
      routes: [
        Route(
          name: "route", matches: [Match(host: "api.test")], mount: "",
          upstream: Origin(scheme: .http, host: "127.0.0.1", port: origin))
      ])
    change(&configuration)
    for index in configuration.routes.indices { configuration.routes[index].timeouts = configuration.timeouts }
    let dialer = try Dialer(loop: loop, trust: TrustStores([TrustSettings()]))
    let generation = Generation(configuration, loops: 1) { _, _ in preconditionFailure("no route has a token") }
    let shared = SharedResources(
      clients: ClientCensus(limit: configuration.limits.connectionsPerClient), registry: MetricsRegistry())
    let worker = Worker(
      loop: loop, dialer: dialer, generation: generation, shared: shared, accessLog: nil,
      logger: EventLog(Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
    self.worker = worker
    port = try running.run {
      let settings = ListenerSettings(
        address: ListenAddress(host: "127.0.0.1", port: 0), browserRequests: .allow)
      let socket = try ListeningSocket(host: "127.0.0.1", port: 0, sharesPort: false)
      let port = socket.port
      try worker.listen(on: ServedListener(settings, number: 0), socket)
      return port
    }
  }

  deinit { drain {} }

  /// Begins to stop; `done` is called when no connection is left.
  func drain(_ done: @escaping @Sendable () -> Void) {
    let worker = worker
    running.loop.perform { worker.drain(done) }
  }

  /// Ends what is under way.
  func closeAll() {
    let worker = worker
    running.loop.perform { worker.closeAll() }
  }

  /// Sends `request` on a connection of its own, and returns everything that comes until it ends.
  func answer(to request: String) throws -> (text: String, end: RawSocket.End) {
    let client = try RawSocket(port: port)
    client.send(request)
    return try client.readToEnd()
  }
}
