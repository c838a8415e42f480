/// The timeouts of proxy.conf.
public struct Timeouts: Sendable, Hashable {
  /// For a client to send a complete request head, from its first byte.
  public var head: Duration = .seconds(10)
  /// For a client's TLS handshake.
  public var handshake: Duration = .seconds(10)
  /// How long a client connection is kept between requests.
  public var idle: Duration = .seconds(75)
  /// The longest pause between two pieces of a body, in either direction.
  public var body: Duration = .seconds(60)
  /// The longest wait of a request for a token.
  public var token: Duration = .seconds(15)
  /// For name resolution, TCP and TLS to the upstream together.
  public var connect: Duration = .seconds(10)
  /// From the end of the request until the response begins.
  public var firstByte: Duration = .seconds(60)
  /// For a whole exchange, from the first byte of the request to the last byte of the response; nil for no limit.
  public var total: Duration?
  /// How long a tunnel is kept without traffic in either direction; also a connection that has switched protocols, and a stream
  /// of events without an event.
  public var tunnel: Duration = .seconds(600)
  /// How long a client connection may be silent before the kernel probes its peer; nil for never.
  public var tcpKeepalive: Duration? = .seconds(60)
  /// How long requests in progress may take after SIGTERM.
  public var drain: Duration = .seconds(30)
  /// Tunnels that are open at an upgrade have this long in the process before it.
  public var drainTunnel: Duration = .seconds(3600)

  /// The defaults.
  public init() {}
}

extension Timeouts {
  /// The section `timeouts` of the whole proxy.
  static let group = SettingGroup(
    "timeouts", prefix: "timeouts.", "How long things may take.",
    (beforeRoute + ofRoute + [tcpKeepalive]).map(\.declaration) + [
      upstreamIdle.declaration, drain.declaration, drainTunnel.declaration,
    ])

  /// The section `timeouts` of a route.
  static let groupOfRoute = SettingGroup(
    "route_timeouts", "How long things may take for requests of the route.", ofRoute.map(\.declaration))

  static let all = beforeRoute + ofRoute + [tcpKeepalive, drain, drainTunnel]
  private static let beforeRoute = [head, handshake, idle]
  private static let ofRoute = [body, token, connect, firstByte, total, tunnel]
  private static let ofTunnel = [tunnel, connect, total]

  private static let head = field("head", \.head, .duration, "for a complete request head, from its first byte")
  private static let handshake = field(
    "handshake", \.handshake, .duration,
    "for the TLS handshake of a client, from the beginning of the connection, or of the tunnel"
  )
  private static let idle = field("idle", \.idle, .duration, "a client connection between two requests")
  private static let body = field(
    "body", \.body, .duration, "the longest pause between two pieces of a body, in either direction")
  private static let token = field("token", \.token, .duration, "the longest that a request waits for a token")
  private static let connect = field(
    "connect", \.connect, .duration,
    "for name resolution, TCP and TLS to the upstream together, and for a free connection to it")
  private static let firstByte = field(
    "first_byte", \.firstByte, .duration, "from the end of the request until the response begins")
  private static let total = field(
    "total", \.total, .durationOrOff,
    "from the first byte of a request to the last byte of its response")
  private static let tunnel = field(
    "tunnel", \.tunnel, .duration, "a tunnel, an upgraded connection or a stream of events without data")
  private static let tcpKeepalive = field(
    "tcp_keepalive", \.tcpKeepalive, .keepaliveOrOff,
    "silence on a client connection before TCP probes it; without a reply it ends after the same time again")
  /// The older name of ``ConnectionPolicy/idle``.
  static let upstreamIdle = Declared(
    "upstream_idle", .duration, default: .described("`upstream.idle`"), "the older name of `upstream.idle`")
  private static let drain = field("drain", \.drain, .duration, "for requests that are in progress at SIGTERM")

  private static let drainTunnel = field(
    "drain_tunnel", \.drainTunnel, .duration,
    "for tunnels and upgraded connections of the process before an upgrade; at SIGTERM they have `timeouts.drain`")

  private static func field<Value: Sendable>(
    _ name: String, _ property: any WritableKeyPath<Timeouts, Value> & Sendable, _ format: Format<Value>,
    _ summary: String
  ) -> Field<Timeouts> {
    Field(name, property, format, in: Timeouts(), summary)
  }

  /// Reads the section of a route; the values of the whole proxy are the defaults.
  mutating func readRoute(_ section: Section) {
    section.read(Self.ofRoute, into: &self)
    section.belong(Self.ofTheProxy, to: Self.wholeProxy)
  }

  /// Reads the section of a route that serves tunnels.
  mutating func readTunnel(_ section: Section) {
    section.read(Self.ofTunnel, into: &self)
    for field in [Self.body, Self.token, Self.firstByte] {
      section[field.declaration]?.complain(RouteReader.isForRequests)
    }
    section.belong(Self.ofTheProxy, to: Self.wholeProxy)
  }

  private static let ofTheProxy =
    (beforeRoute + [tcpKeepalive, drain, drainTunnel]).map(\.declaration.name) + [upstreamIdle.declaration.name]
  private static let wholeProxy = "the timeouts of the whole proxy"
}
