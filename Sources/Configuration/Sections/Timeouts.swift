/// How long things may take.
public struct Timeouts: Sendable, Hashable {
  /// A client has this long to send a complete request head, once it began.
  public var head: Duration = .seconds(10)
  /// A client has this long to agree on TLS, where it speaks that.
  public var handshake: Duration = .seconds(10)
  /// A client connection is kept this long between requests.
  public var idle: Duration = .seconds(75)
  /// The longest pause between two pieces of a body, either direction.
  public var body: Duration = .seconds(60)
  /// The longest a request waits for a token.
  public var token: Duration = .seconds(15)
  /// For name resolution, TCP and TLS to the upstream together.
  public var connect: Duration = .seconds(10)
  /// From the request being sent until the response begins.
  public var firstByte: Duration = .seconds(60)
  /// For an exchange as a whole, from the first byte of the request to the last of the response; nil for no limit.
  public var total: Duration?
  /// A tunnel through which nothing moves, in either direction, is kept this long, and so is a connection that has changed
  /// its protocol, and a stream of events in which none comes.
  public var tunnel: Duration = .seconds(600)
  /// An unused upstream connection is kept this long.
  public var upstreamIdle: Duration = .seconds(30)
  /// Requests that run at SIGTERM have this long.
  public var drain: Duration = .seconds(30)

  /// The defaults.
  public init() {}
}

extension Timeouts {
  /// Reads the section of the whole proxy.
  mutating func read(_ section: Section) {
    section.read("head", .duration, into: &head)
    section.read("handshake", .duration, into: &handshake)
    section.read("idle", .duration, into: &idle)
    readForRoute(section)
    section.read("upstream_idle", .duration, into: &upstreamIdle)
    section.read("drain", .duration, into: &drain)
  }

  /// Reads the section of a route, over what is set for the whole proxy.
  mutating func readRoute(_ section: Section) {
    readForRoute(section)
    section.belong(Self.ofTheProxy, to: "the timeouts of the whole proxy")
  }

  /// Reads the section of a route that serves tunnels.
  mutating func readTunnel(_ section: Section) {
    section.read("tunnel", .duration, into: &tunnel)
    section.read("connect", .duration, into: &connect)
    section.read("total", .durationOrOff, into: &total)
    for name in ["body", "token", "first_byte"] { section[name]?.complain(RouteReader.isForRequests) }
    section.belong(Self.ofTheProxy, to: "the timeouts of the whole proxy")
  }

  private static var ofTheProxy: [String] { ["head", "handshake", "idle", "upstream_idle", "drain"] }

  private mutating func readForRoute(_ section: Section) {
    section.read("body", .duration, into: &body)
    section.read("token", .duration, into: &token)
    section.read("connect", .duration, into: &connect)
    section.read("first_byte", .duration, into: &firstByte)
    section.read("total", .durationOrOff, into: &total)
    section.read("tunnel", .duration, into: &tunnel)
  }
}
