internal import Addresses
public import HTTPWire
public import Reactor
public import SystemPackage

// Sendable although it has mutable state: after the start, all of it is confined to the loop's thread.
/// A small HTTP/1.1 server for our own listeners (RFC 9110, RFC 9112): requests and responses that fit in memory, few clients,
/// strict parsing.
///
/// No proxied request goes through it. Use everything but the initialiser on the loop's thread, or before the loop runs. Call
/// ``close()`` before you release it.
public final class HTTPService: @unchecked Sendable {
  /// Handles one request, on the loop's thread. Handle HEAD like GET: the service drops the body.
  public typealias Handler = @Sendable (ServiceRequest) async -> ServiceResponse

  /// The moment until which a request that arrived at `arrival` must wait; nil if it need not. Called again at that time. A
  /// connection whose request waits may give way to another one.
  public typealias Delay = @Sendable (_ request: ServiceRequest, _ arrival: Instant) -> Instant?

  /// The bound address: `host:port`, or `unix:` and a path.
  public let address: String
  /// The bound port; 0 for a Unix socket.
  public let port: UInt16
  /// Called when there is no descriptor or memory for another connection; accepting resumes a moment later.
  public var onExhaustion: (Errno) -> Void = { _ in }

  let limits: ServiceLimits
  private let admits: (SocketPeer) -> Bool
  private let refusesForeignPages: Bool
  private let isLoopback: Bool
  let loop: EventLoop
  private(set) var isClosing = false

  private let listener: Listener
  private var handler: Handler?
  private let arrivals: Arrivals
  private var places: ConnectionPlaces<ServiceConnection>
  private var isPaused = false
  // A connection that was accepted just when the last one that could give way got a request. It is served next.
  private var held: Descriptor?
  private var heldPeer: (peer: SocketPeer, isLocal: Bool)?
  private(set) var delay: Delay = { _, _ in nil }
  // The loop may have proxied requests to serve, which many connections at once must not hold up.
  private static let acceptsInARow = 8

  // The listener's callback target, which must exist before the service does.
  private final class Arrivals {
    weak var service: HTTPService?
  }

  /// Binds `host` (a numeric address) and `port` (0: any free one). Accepts no connection before ``start(_:)``.
  ///
  /// - Parameter refusesForeignPages: whether to reject requests that a browser sends for a page of another site. On a
  ///   connection to a loopback address, these include requests whose host name does not mean this machine.
  /// - Throws: why the address cannot be bound.
  public convenience init(
    host: String, port: UInt16, limits: ServiceLimits = ServiceLimits(), refusesForeignPages: Bool, on loop: EventLoop
  ) throws(Errno) {
    self.init(
      try ListeningSocket(host: host, port: port, sharesPort: false), limits: limits,
      refusesForeignPages: refusesForeignPages, on: loop)
  }

  /// Accepts connections from `socket` after ``start(_:)``.
  ///
  /// - Parameter admits: whether a client may use the service; otherwise its connection is closed at once.
  public init(
    _ socket: consuming ListeningSocket, limits: ServiceLimits = ServiceLimits(), refusesForeignPages: Bool = false,
    admits: @escaping (SocketPeer) -> Bool = { _ in true }, on loop: EventLoop
  ) {
    let arrivals = Arrivals()
    listener = Listener(socket, acceptsInARow: Self.acceptsInARow, on: loop) { socket, peer in
      arrivals.service?.accept(socket, from: peer)
    }
    address = listener.address
    port = listener.port
    self.limits = limits
    self.admits = admits
    places = ConnectionPlaces(limit: limits.connections, reserved: limits.reservedForLocal)
    isLoopback = IPAddress(ofEndpoint: listener.address)?.isLoopback ?? false
    self.refusesForeignPages = refusesForeignPages
    self.loop = loop
    self.arrivals = arrivals
    arrivals.service = self
    listener.onExhaustion = { errno in arrivals.service?.onExhaustion(errno) }
  }

  /// Starts to accept connections, whose requests `handler` handles.
  /// - Throws: what the kernel says when it cannot watch another descriptor.
  public func start(delay: @escaping Delay = { _, _ in nil }, _ handler: @escaping Handler) throws(Errno) {
    self.handler = handler
    self.delay = delay
    try listener.start()
  }

  /// Stops accepting and ends the connections that are idle; a request that is being read or answered is finished,
  /// and its connection closed then.
  ///
  /// - Parameter isPassedOn: whether another process accepts from the same socket from now on.
  public func close(isPassedOn: Bool = false) {
    isClosing = true
    listener.close(isPassedOn: isPassedOn)
    held = nil
    for connection in places.all { connection.interrupt() }
  }

  /// What another process needs to accept from the same socket; nil when it is closed.
  public func copyListener() throws(Errno) -> ListenerCopy? { try listener.copy() }

  /// Whether no connection is open.
  public var isQuiet: Bool { places.all.isEmpty }

  /// Has the kernel tell clients of a Unix socket that this process is the one that listens.
  public func claim() { listener.claim() }

  private func accept(_ socket: consuming Descriptor, from peer: SocketPeer) {
    guard admits(peer) else { return }
    let isLocal = Self.isLocal(peer, at: socket.number)
    admit(socket, from: peer, isLocal: isLocal)
    updateListener()
  }

  private func admit(_ socket: consuming Descriptor, from peer: SocketPeer, isLocal: Bool) {
    guard let handler else { return }
    switch places.place(forLocal: isLocal, at: loop.now) {
    case .free: break
    case .of(let other):
      places.remove(other)
      other.giveWay()
    case .none:
      // If remote clients have no place left, close the connection instead of holding it: behind it in the queue there may be a
      // client for which a place is reserved.
      if !places.hasPlace {
        held = consume socket
        heldPeer = (peer, isLocal)
      }
      return
    }
    let pages = pages(at: socket.number)
    do {
      let stream = try TimedStream(socket, on: loop)
      stream.waits = { [unowned self] in if isPaused { updateListener() } }
      let connection = ServiceConnection(
        stream, from: peer, isLocal: isLocal, pages: pages, of: self, handler: handler)
      places.add(connection)
      // This runs on the loop's thread, and so will the task: nothing leaves the thread.
      let confined = Confined(connection)
      loop.start { await confined.value.run() }
    } catch {
      // The socket is closed: the kernel had no room to watch it.
      onExhaustion(error)
    }
  }

  /// The rule for requests of other sites' pages on the connection `descriptor`. A listener on all addresses also gets
  /// connections to loopback addresses.
  private func pages(at descriptor: Int32) -> WebPageRule {
    guard refusesForeignPages else { return .serve }
    if isLoopback { return .refuseForeign(isLoopback: true) }
    let address = IPAddress(ofEndpoint: SocketAddress.text(of: descriptor, peer: false))
    return .refuseForeign(isLoopback: address?.unmapped.isLoopback ?? false)
  }

  /// Accepts while there is a place, even if another connection has to give way.
  private func updateListener() {
    guard !isClosing else { return }
    if held != nil, places.hasPlace, let socket = held.take(), let heldPeer {
      admit(socket, from: heldPeer.peer, isLocal: heldPeer.isLocal)
    }
    let mustPause = !places.hasPlace
    guard mustPause != isPaused else { return }
    isPaused = mustPause
    if mustPause { listener.pause() } else { listener.resume() }
  }

  func ended(_ connection: ServiceConnection) {
    places.remove(connection)
    updateListener()
  }

  /// Whether the peer is on this machine: at a loopback address, or at the same address that it connected to.
  private static func isLocal(_ peer: SocketPeer, at descriptor: Int32) -> Bool {
    guard case .address(let text) = peer else { return true }
    guard let address = IPAddress(ofEndpoint: text) else { return false }
    return address.isLoopback || address == IPAddress(ofEndpoint: SocketAddress.text(of: descriptor, peer: false))
  }
}

/// How much one client may send to a service, and how long it may take.
public struct ServiceLimits: Sendable {
  /// The size of a request head.
  public var head: HeadLimits
  /// The size of a body in bytes; a larger one gets 413.
  public var body: Int
  /// Open connections. For one more, the connection that has been quiet longest is closed; while all are in use, further ones
  /// wait in the kernel's queue.
  public var connections: Int
  /// How many of those are reserved for clients on this machine.
  public var reservedForLocal: Int
  /// From the first byte of a request to the end of its head.
  public var headTimeout: Duration
  /// From a connection's beginning, or the end of its last response, to the first byte of a request.
  public var idleTimeout: Duration
  /// Between two pieces of a body, received or sent.
  public var bodyTimeout: Duration
  /// The body of a request, and a response, each as a whole.
  public var transferTimeout: Duration
  /// How long a connection is still read before it is closed, so that a reset does not destroy the response.
  public var lingerTimeout: Duration

  /// The given limits; the defaults suit small listeners with few clients.
  public init(
    head: HeadLimits = HeadLimits(bytes: 32_768, requestLine: 8_192, fields: 100), body: Int = 1_048_576,
    connections: Int = 256, reservedForLocal: Int = 0, headTimeout: Duration = .seconds(5),
    idleTimeout: Duration = .seconds(75), bodyTimeout: Duration = .seconds(30),
    transferTimeout: Duration = .seconds(600), lingerTimeout: Duration = .seconds(2)
  ) {
    self.head = head
    self.body = body
    self.connections = connections
    self.reservedForLocal = reservedForLocal
    self.headTimeout = headTimeout
    self.idleTimeout = idleTimeout
    self.bodyTimeout = bodyTimeout
    self.transferTimeout = transferTimeout
    self.lingerTimeout = lingerTimeout
  }
}

// Sendable although its value may not be: it is created and opened only on the loop's thread.
/// Carries a value that belongs to a loop's thread into a task of that loop.
struct Confined<Value>: @unchecked Sendable {
  let value: Value

  init(_ value: Value) {
    self.value = value
  }
}
