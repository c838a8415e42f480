internal import Reactor

/// One client's connection.
final class ServiceConnection: PlaceHolder {
  let isLocal: Bool

  private let stream: TimedStream
  // A reference cycle until the connection ends, when the service drops it.
  private let service: HTTPService
  private let handler: HTTPService.Handler
  private let reader: RequestReader

  init(
    _ stream: TimedStream, from peer: SocketPeer, isLocal: Bool, pages: WebPageRule, of service: HTTPService,
    handler: @escaping HTTPService.Handler
  ) {
    self.stream = stream
    self.isLocal = isLocal
    self.service = service
    self.handler = handler
    reader = RequestReader(stream, from: peer, limits: service.limits, pages: pages, on: service.loop)
  }

  /// A request that is about to be read counts as being handled.
  var activity: Activity {
    if case .idle = stream.activity, stream.hasNews, !reader.hasBegun { .working } else { stream.activity }
  }

  /// Ends the connection at once, so that another one can have its place.
  func giveWay() {
    stream.abort()
  }

  /// Ends the connection if it is between two requests, otherwise after the response.
  func interrupt() {
    stream.interrupt()
  }

  /// Handles requests until the client or the service closes the connection.
  func run() async {
    await serve()
    stream.close()
    service.ended(self)
  }

  private func serve() async {
    do throws(RequestReader.End) {
      while true {
        let request = try await reader.next()
        let arrival = Instant.now
        while let moment = service.delay(request.content, arrival) {
          guard await stream.pause(until: moment) else { return }
        }
        let response = await handler(request.content)
        let isLast = !request.keepsAlive || service.isClosing
        guard await send(response, isHead: request.isHead, closing: isLast) else { return }
        if isLast { break }
        await stream.pass()
      }
    } catch {
      guard case .refused(let response) = error, await send(response, isHead: false, closing: true) else { return }
    }
    // Closing with unread bytes would reset the connection, and the client might lose the response (RFC 9112 section 9.6).
    stream.finishSending()
    await reader.discard(until: service.loop.now + service.limits.lingerTimeout)
  }

  private func send(_ response: ServiceResponse, isHead: Bool, closing: Bool) async -> Bool {
    let limits = service.limits
    let (head, content) = response.message(isHead: isHead, closing: closing)
    return await stream.send(head, then: content, pause: limits.bodyTimeout, total: limits.transferTimeout)
  }
}

/// A request, and what it says about the connection.
struct ArrivedRequest {
  /// What the handler gets.
  let content: ServiceRequest
  /// Whether the method is HEAD.
  let isHead: Bool
  /// Whether the client wants the connection to stay open.
  let keepsAlive: Bool
}
