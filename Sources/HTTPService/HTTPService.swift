internal import Addresses
public import Reactor
public import SystemPackage

// Sendable although it has mutable state: after it was started, all of that is confined to the loop's thread.
/// A small HTTP/1.1 server for listeners of our own (RFC 9110, RFC 9112): requests and answers that fit memory, few
/// clients, strict in what it accepts.
///
/// It is not on the way of any request that is proxied. Everything but the initialiser belongs to the loop's thread,
/// or to the time before the loop runs. ``close()`` it before letting go of it.
public final class HTTPService: @unchecked Sendable {
  /// Answers one request; called on the loop's thread. HEAD is answered like GET: the service drops the body.
  public typealias Handler = @Sendable (ServiceRequest) async -> ServiceResponse

  /// The address that is really bound, as `host:port`.
  public let address: String
  /// The port that is really bound.
  public let port: UInt16
  /// Told when there is no descriptor or memory for another connection; accepting goes on a moment later.
  public var onExhaustion: (Errno) -> Void = { _ in }

  let limits: ServiceLimits
  let pages: WebPageRule
  let loop: EventLoop
  private(set) var isClosing = false

  private let listener: Listener
  private var handler: Handler?
  private let arrivals: Arrivals
  private var connections: [ObjectIdentifier: ServiceConnection] = [:]

  // What the listener calls, which has to exist before the service that it calls.
  private final class Arrivals {
    weak var service: HTTPService?
  }

  /// Binds `host` (a numeric address) and `port` (0: any free one); accepts nothing before ``start(_:)``.
  ///
  /// - Parameter refusesForeignPages: whether requests are rejected that a browser sends for a page of another site. On a
  ///   loopback address a request that calls the service by another name than this machine's is one of those.
  /// - Throws: why the address cannot be bound.
  public init(
    host: String, port: UInt16, limits: ServiceLimits = ServiceLimits(), refusesForeignPages: Bool, on loop: EventLoop
  ) throws(Errno) {
    let arrivals = Arrivals()
    listener = try Listener(host: host, port: port, sharesPort: false, on: loop) { socket, _ in
      arrivals.service?.accept(socket)
    }
    address = listener.address
    self.port = listener.port
    self.limits = limits
    let isLoopback = IPAddress(ofEndpoint: listener.address)?.isLoopback ?? false
    pages = refusesForeignPages ? .refuseForeign(isLoopback: isLoopback) : .serve
    self.loop = loop
    self.arrivals = arrivals
    arrivals.service = self
    listener.onExhaustion = { errno in arrivals.service?.onExhaustion(errno) }
  }

  /// Begins to accept connections, whose requests `handler` answers.
  /// - Throws: what the kernel says when it cannot watch another descriptor.
  public func start(_ handler: @escaping Handler) throws(Errno) {
    self.handler = handler
    try listener.start()
  }

  /// Stops accepting and ends the connections that are idle; a request that is being read or answered is finished,
  /// and its connection closed then.
  public func close() {
    isClosing = true
    listener.close()
    for connection in connections.values { connection.interrupt() }
  }

  private func accept(_ socket: consuming Descriptor) {
    guard let handler else { return }
    do {
      let connection = ServiceConnection(try TimedStream(socket, on: loop), of: self, handler: handler)
      connections[ObjectIdentifier(connection)] = connection
      if connections.count >= limits.connections { listener.pause() }
      // The loop's thread is where this runs and where the task will: nothing leaves it.
      let confined = Confined(connection)
      loop.start { await confined.value.run() }
    } catch {
      // The socket is closed; the kernel has no room to watch it.
      onExhaustion(error)
    }
  }

  func ended(_ connection: ServiceConnection) {
    connections[ObjectIdentifier(connection)] = nil
    if connections.count < limits.connections, !isClosing { listener.resume() }
  }
}
