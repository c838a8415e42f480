/// How much of everything there may be.
public struct Limits: Sendable, Hashable {
  /// Bytes of a request line and its fields together.
  public var head = 32 * 1024
  /// Field lines of a request, or of a response.
  public var fields = 100
  /// Client connections in all.
  public var connections = 10_000
  /// Client connections of one address, all loops together.
  public var connectionsPerClient = 5_000
  /// TLS handshakes of clients under way, all loops together.
  public var handshakes = 512
  /// Requests that a client connection may carry.
  public var requestsPerConnection = 10_000
  /// Connections per upstream, all loops together.
  public var upstreamConnections = 256
  /// Requests per upstream that may wait for a connection when all are in use.
  public var queue = 1_000
  /// The part of an upstream's connections that one client may use; nil for all of them.
  public var clientShare: ClientShare? = ClientShare(percent: 90)
  /// Hosts below wildcards that are in use, or have open connections, at the same time, all loops together.
  public var wildcardHosts = 1_000

  /// Bytes of a request line.
  public var requestLine = 16 * 1024
  /// Bytes of a response's status line and fields together.
  public var responseHead = 32 * 1024
  /// Bytes of a request's content; nil for no limit.
  public var body: Int?

  /// What buffers and connections take in the whole process.
  public var memory = MemoryLimit.automatic
  /// Bytes of a buffer: content in transit, in one direction of one request.
  public var buffer = 128 * 1024
  /// Bytes of a request's content that are kept so that it can be sent again.
  public var replayBuffer = 64 * 1024

  /// Bytes per second that a client must send of its content, or take of its response; nil for no such bound.
  public var minRate: Int? = 100

  /// The defaults.
  public init() {}
}

/// How much memory buffers and connections may take.
public enum MemoryLimit: Sendable, Hashable {
  /// What the control group of the process allows for; no limit where it sets none.
  case automatic
  /// No limit.
  case off
  /// So many bytes.
  case bytes(Int)
}

/// The part of something limited that one client may have.
public struct ClientShare: Sendable, Hashable {
  // With fewer, a place that is kept for others is a large part of what there is.
  private static let fewest = 8

  /// From 1 to 99.
  public var percent: Int

  /// A share of so many percent.
  public init(percent: Int) {
    self.percent = percent
  }

  /// How many of `count` places one client may have, at least one. Of eight or more at least one is left to others; where
  /// there are fewer, the number is rounded up, and one client may have all of them.
  ///
  /// - Parameter total: how many there are in all, where the `count` places are one loop's part of them.
  public func part(of count: Int, total: Int? = nil) -> Int {
    let rest = (total ?? count) >= Self.fewest ? 0 : 99
    return max(1, (count * percent + rest) / 100)
  }
}
