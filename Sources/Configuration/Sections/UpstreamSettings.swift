internal import Outbound

/// The settings of the section `upstream`.
enum UpstreamSettings {
  /// The section `upstream`, at the top level and in a route.
  static let group = SettingGroup(
    "upstream", prefix: "upstream.", "How connections to upstreams are made, and how long they are kept.",
    (ofRequests + ofConnecting).map(\.declaration))

  fileprivate static let ofRequests = [reuse] + ofKeeping
  fileprivate static let ofKeeping = [idle, maxAge, maxRequests]
  fileprivate static let ofConnecting = [connectAttempts, dnsRefresh]

  private static let reuse = field(
    "reuse", \.isReused, .onOff,
    "whether a connection serves further requests after the first; with `off` each request has its own")
  fileprivate static let idle = field("idle", \.idle, .duration, "how long an unused connection is kept")
  private static let maxAge = field(
    "max_age", \.maxAge, .durationOrOff,
    "the age after which a connection serves no further request; ages differ by up to a tenth")
  private static let maxRequests = field(
    "max_requests", \.maxRequests, .countOrOff(1...1_000_000), "how many requests a connection serves")
  private static let connectAttempts = field(
    "connect_attempts", \.connectAttempts, .count(1...10), "how many addresses a request tries to connect to")
  private static let dnsRefresh = field(
    "dns_refresh", \.dnsRefresh, .refreshTime, "how long addresses of a name are used before it is resolved again")

  private static func field<Value: Sendable>(
    _ name: String, _ property: any WritableKeyPath<ConnectionPolicy, Value> & Sendable, _ format: Format<Value>,
    _ summary: String
  ) -> Field<ConnectionPolicy> {
    Field(name, property, format, in: ConnectionPolicy(), summary)
  }
}

extension ConnectionPolicy {
  private typealias Settings = UpstreamSettings

  /// Reads `upstream` of the whole proxy.
  ///
  /// - Parameter older: `timeouts.upstream_idle`, the older name of `idle`.
  static func read(_ top: Section, _ older: Setting?) -> ConnectionPolicy {
    var policy = ConnectionPolicy()
    if let time = older?.value(Timeouts.upstreamIdle.format) { policy.idle = time }
    _ = top.section(TopSettings.upstream) { section in
      if section[Settings.idle.declaration] != nil {
        older?.complain("is the older name of upstream.idle, which is there too; leave this one out")
      }
      policy.readRoute(section)
    }
    return policy
  }

  /// Reads a section for requests; the values set already are the defaults.
  mutating func readRoute(_ section: Section) {
    section.read(Settings.ofRequests + Settings.ofConnecting, into: &self)
    guard !isReused else { return }
    for field in Settings.ofKeeping {
      section[field.declaration]?.complain("is for connections that are kept, and reuse is off")
    }
  }

  /// Reads `upstream` of a route that serves tunnels.
  mutating func readTunnel(_ section: Section) {
    section.read(Settings.ofConnecting, into: &self)
    for field in Settings.ofRequests { section[field.declaration]?.complain(RouteReader.isForRequests) }
  }
}

extension Format<Duration> {
  /// How often names can be resolved again.
  fileprivate static var refreshTime: Self {
    Format("a duration from 1s to 24h, such as 30s", .duration, written: durationText) { text throws(Refusal) in
      let time = try duration.read(text)
      guard time >= .seconds(1) else { throw Refusal() }
      return time
    }
  }
}
