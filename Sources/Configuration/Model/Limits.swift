/// The limits of proxy.conf.
public struct Limits: Sendable, Hashable {
  /// Bytes of a request line and its fields together.
  public var head = 32 * 1024
  /// Field lines of a request, or of a response.
  public var fields = 100
  /// Client connections.
  public var connections = 10_000
  /// Client connections of one address, all loops together.
  public var connectionsPerClient = 5_000
  /// TLS handshakes with clients in progress, all loops together.
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
  /// Bytes of a request's body; nil for no limit.
  public var body: Int?

  /// The memory of buffers and connections in the whole process.
  public var memory = MemoryLimit.automatic
  /// Bytes of a buffer: the part of a body that is in transit, in one direction of one request.
  public var buffer = 128 * 1024
  /// Bytes of a request's body that are kept so that the request can be retried.
  public var replayBuffer = 64 * 1024

  /// Bytes per second that a client must send of its body, or take of its response; nil for no minimum.
  public var minRate: Int? = 100

  /// The defaults.
  public init() {}
}

/// How much memory buffers and connections may take.
public enum MemoryLimit: Sendable, Hashable {
  /// Derived from the limit of the process's control group; no limit if that sets none.
  case automatic
  /// No limit.
  case off
  /// This many bytes.
  case bytes(Int)
}

/// The share of a limited resource that one client may have.
public struct ClientShare: Sendable, Hashable {
  /// With fewer places than this, reserving one for other clients would take a large part of them.
  public static let fewest = 8

  /// From 1 to 99.
  public var percent: Int

  /// A share of this many percent.
  public init(percent: Int) {
    self.percent = percent
  }

  /// How many of `count` places one client may have; at least one. Of eight or more, at least one is left to others; of fewer,
  /// the number is rounded up, and one client may have all of them.
  ///
  /// - Parameter total: how many there are in all, if the `count` places are one loop's part of them.
  public func part(of count: Int, total: Int? = nil) -> Int {
    let rest = (total ?? count) >= Self.fewest ? 0 : 99
    return max(1, (count * percent + rest) / 100)
  }
}

extension Limits {
  /// The section `limits`.
  static let group = SettingGroup(
    "limits", prefix: "limits.", "Limits of sizes, numbers and rates.", fields.map(\.declaration))

  static let fields: [Field<Limits>] = [
    field("head", \.head, .size(1024...48 * 1024), "request line and fields together; more: 431"),
    field("request_line", \.requestLine, .size(512...48 * 1024), "the request line alone; more: 414"),
    field("fields", \.fields, .count(1...1000), "field lines of a request (431), or of a response (502)"),
    field("response_head", \.responseHead, .size(1024...48 * 1024), "status line and fields of a response; more: 502"),
    field(
      "memory", \.memory, .memoryLimit, default: .described("from the control group, else `off`"),
      "memory of buffers, connections and TLS sessions in all; see [memory](#memory)"),
    field(
      "buffer", \.buffer, .size(16 * 1024...1024 * 1024),
      "the size of a buffer for bodies; two at most per request and direction"),
    field("body", \.body, .bodySize, "body of a request, without its framing; more: 413"),
    field(
      "min_rate", \.minRate, .rate,
      "the minimum rate at which a client must send its body or receive its response"),
    field(
      "replay_buffer", \.replayBuffer, .replayBuffer,
      "how much of a request's body is kept for a retry"),
    field(
      "connections", \.connections, .count(1...1_000_000), "client connections in all; further ones wait in the kernel"),
    field(
      "connections_per_client", \.connectionsPerClient, .count(1...1_000_000),
      "client connections of one IPv4 address or IPv6 /64; more: 503"),
    field("handshakes", \.handshakes, .count(1...100_000), "TLS handshakes of clients in progress; further ones wait"),
    field(
      "requests_per_connection", \.requestsPerConnection, .count(1...1_000_000_000),
      "requests of one client connection; the last response says `Connection: close`"),
    field(
      "upstream_connections", \.upstreamConnections, .count(1...65_535),
      "connections per upstream, all loops together; also tunnels per host and port"),
    field("queue", \.queue, .count(0...1_000_000), "requests per upstream that wait for a connection; more: 503"),
    field(
      "client_share", \.clientShare, .clientShare,
      "the part of an upstream's connections for one client; see [one client among others](#one-client-among-others)"),
    field(
      "wildcard_hosts", \.wildcardHosts, .count(1...10_000),
      "hosts below wildcards, and of tunnels, in use at the same time; more: 503"),
  ]

  private static func field<Value: Sendable>(
    _ name: String, _ property: any WritableKeyPath<Limits, Value> & Sendable, _ format: Format<Value>,
    default fallback: SettingDeclaration.Default? = nil, _ summary: String
  ) -> Field<Limits> {
    Field(name, property, format, in: Limits(), default: fallback, summary)
  }
}
