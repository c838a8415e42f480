public import HTTPWire

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
  /// From a connection's beginning, or the end of its last answer, to the first byte of a request.
  public var idleTimeout: Duration
  /// Between two pieces of a body, received or sent.
  public var bodyTimeout: Duration
  /// The content of a request, and a response, each as a whole.
  public var transferTimeout: Duration
  /// How long a connection that is to be closed is read from, so that the answer is not lost to a reset.
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
