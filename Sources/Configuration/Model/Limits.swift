/// How much of everything there may be.
public struct Limits: Sendable, Hashable {
  /// Bytes of a request line and its fields together.
  public var head = 32 * 1024
  /// Field lines of a request, or of an answer.
  public var fields = 100
  /// Client connections in all.
  public var connections = 10_000
  /// Client connections of one address, all loops together.
  public var connectionsPerClient = 5_000
  /// Requests that a client connection may carry.
  public var requestsPerConnection = 10_000
  /// Connections per upstream, all loops together.
  public var upstreamConnections = 256
  /// Requests per upstream that may wait for a connection when all are in use.
  public var queue = 1_000
  /// Hosts below wildcards that are in use, or have open connections, at the same time, all loops together.
  public var wildcardHosts = 1_000

  /// Bytes of a request line.
  public var requestLine = 16 * 1024
  /// Bytes of an answer's status line and fields together.
  public var responseHead = 32 * 1024
  /// Bytes of a request's content; nil for no limit.
  public var body: Int?

  /// Bytes of a buffer: content on its way, in one direction of one request.
  public var buffer = 128 * 1024
  /// Bytes of a request's content that are kept so that it can be sent again.
  public var replayBuffer = 64 * 1024

  /// Bytes per second that a client must send of its content, or take of its answer; nil for no such bound.
  public var minRate: Int? = 100

  /// The defaults.
  public init() {}
}
