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
