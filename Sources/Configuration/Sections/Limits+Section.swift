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
      "the size of a buffer of content; two at most per request and direction"),
    field("body", \.body, .bodySize, "content of a request, without its framing; more: 413"),
    field(
      "min_rate", \.minRate, .rate,
      "the minimum rate at which a client must send its content or receive its response"),
    field(
      "replay_buffer", \.replayBuffer, .replayBuffer,
      "how much content of a request is kept to send it again"),
    field(
      "connections", \.connections, .count(1...1_000_000), "client connections in all; further ones wait in the kernel"),
    field(
      "connections_per_client", \.connectionsPerClient, .count(1...1_000_000),
      "client connections of one IPv4 address or IPv6 /64; more: 503"),
    field("handshakes", \.handshakes, .count(1...100_000), "TLS handshakes of clients under way; further ones wait"),
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
