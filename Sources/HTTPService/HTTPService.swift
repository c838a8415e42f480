internal import Addresses
public import HTTPWire
public import Reactor
public import SystemPackage

// Sendable although it has mutable state: after it was started, all of that is confined to the loop's thread.
/// A small HTTP/1.1 server for listeners of our own (RFC 9110, RFC 9112): requests and responses that fit memory, few
/// clients, strict in what it accepts.
///
/// It is not on the way of any request that is proxied. Everything but the initialiser belongs to the loop's thread,
/// or to the time before the loop runs. ``close()`` it before letting go of it.
public final class HTTPService: @unchecked Sendable {
  /// Answers one request; called on the loop's thread. HEAD is answered like GET: the service drops the body.
  public typealias Handler = @Sendable (ServiceRequest) async -> ServiceResponse

  /// Until when a request that arrived at some moment has to wait before it is answered; nil if not at all. Asked again after
  /// that time. A connection whose request waits so may give way to another one.
  public typealias Delay = @Sendable (_ request: ServiceRequest, _ arrival: Instant) -> Instant?

  /// The address that is really bound: `host:port`, or `unix:` and a path.
  public let address: String
  /// The port that is really bound; 0 for a Unix socket.
  public let port: UInt16
  /// Told when there is no descriptor or memory for another connection; accepting goes on a moment later.
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
  // A connection that was accepted just when the last one that could give way got a request. It is the next one.
  private var held: Descriptor?
  private var heldPeer: (peer: SocketPeer, isLocal: Bool)?
  private(set) var delay: Delay = { _, _ in nil }
  // The loop may have requests of the proxy to serve: a crowd of connections must not hold them up.
  private static let acceptsInARow = 8

  // What the listener calls, which has to exist before the service that it calls.
  private final class Arrivals {
    weak var service: HTTPService?
  }

  /// Binds `host` (a numeric address) and `port` (0: any free one); accepts nothing before ``start(_:)``.
  ///
  /// - Parameter refusesForeignPages: whether requests are rejected that a browser sends for a page of another site. On a
  ///   connection to a loopback address a request that calls the service by another name than this machine's is one of those.
  /// - Throws: why the address cannot be bound.
  public convenience init(
    host: String, port: UInt16, limits: ServiceLimits = ServiceLimits(), refusesForeignPages: Bool, on loop: EventLoop
  ) throws(Errno) {
    self.init(
      try ListeningSocket(host: host, port: port, sharesPort: false), limits: limits,
      refusesForeignPages: refusesForeignPages, on: loop)
  }

  /// Accepts from `socket`, from ``start(_:)`` on.
  ///
  /// - Parameter admits: whether a client may use the service; the connection of one that may not is closed at once.
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

  /// Begins to accept connections, whose requests `handler` answers.
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
      // A client elsewhere does not wait for one of the places that such clients may have: behind it in the queue there may
      // be a client for which a place is reserved.
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
      // The loop's thread is where this runs and where the task will: nothing leaves it.
      let confined = Confined(connection)
      loop.start { await confined.value.run() }
    } catch {
      // The socket is closed; the kernel has no room to watch it.
      onExhaustion(error)
    }
  }

  /// What becomes of requests for pages of other sites on the connection `descriptor`. A listener on all addresses has
  /// connections to loopback ones as well.
  private func pages(at descriptor: Int32) -> WebPageRule {
    guard refusesForeignPages else { return .serve }
    if isLoopback { return .refuseForeign(isLoopback: true) }
    let address = IPAddress(ofEndpoint: SocketAddress.text(of: descriptor, peer: false))
    return .refuseForeign(isLoopback: address?.unmapped.isLoopback ?? false)
  }

  /// Accepts while there is a place, if only that of another connection.
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

  /// Whether the other end is on this machine: at a loopback address, or at the very address that it has called.
  private static func isLocal(_ peer: SocketPeer, at descriptor: Int32) -> Bool {
    guard case .address(let text) = peer else { return true }
    guard let address = IPAddress(ofEndpoint: text) else { return false }
    return address.isLoopback || address == IPAddress(ofEndpoint: SocketAddress.text(of: descriptor, peer: false))
  }
}

/// What one client may ask of a service, and how long it may take.
public struct ServiceLimits: Sendable {
  /// The size of a request head.
  public var head: HeadLimits
  /// Bytes of content; more is answered with 413.
  public var body: Int
  /// Open connections. For one more, the connection that has been quiet longest is closed; while all are in use, the kernel
  /// queues those beyond.
  public var connections: Int
  /// How many of those only clients on this machine may have.
  public var reservedForLocal: Int
  /// From the first byte of a request to the end of its head.
  public var headTimeout: Duration
  /// From a connection's beginning, or the end of its last response, to the first byte of a request.
  public var idleTimeout: Duration
  /// Between two pieces of a body, received or sent.
  public var bodyTimeout: Duration
  /// The content of a request, and a response, each as a whole.
  public var transferTimeout: Duration
  /// How long a connection that is to be closed is read from, so that the response is not lost to a reset.
  public var lingerTimeout: Duration

  /// The limits given, and for the rest what suits small listeners for few clients.
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

// Sendable although its value may not be: it is made on the loop's thread and opened there only.
/// Carries what belongs to a loop's thread into a task of that loop.
struct Confined<Value>: @unchecked Sendable {
  let value: Value

  init(_ value: Value) {
    self.value = value
  }
}
