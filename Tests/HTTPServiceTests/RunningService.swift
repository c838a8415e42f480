import HTTPService
import Reactor

/// A service on a loop and a thread of its own, ended when it goes out of scope.
final class RunningService {
  let port: UInt16
  private let loop: EventLoop
  private let service: HTTPService

  init(
    limits: ServiceLimits = ServiceLimits(), host: String = "127.0.0.1", refusesForeignPages: Bool = false,
    handler: @escaping HTTPService.Handler
  ) throws {
    loop = try EventLoop()
    service = try HTTPService(
      host: host, port: 0, limits: limits, refusesForeignPages: refusesForeignPages, on: loop)
    port = service.port
    try service.start(handler)
    try loop.startThread(named: "service test")
  }

  deinit {
    close()
    loop.stop()
  }

  func close() {
    let service = service
    loop.perform { service.close() }
  }
}

/// Says what arrived.
let echo: HTTPService.Handler = { request in
  .text(200, "\(request.method) \(request.path) \(String(decoding: request.body, as: UTF8.self))")
}
