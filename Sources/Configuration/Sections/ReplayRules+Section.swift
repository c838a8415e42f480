extension ReplayRules {
  /// Reads `replay_unauthorized`, `replay_buffer` and `throttled` of a route, over what is set for the whole proxy.
  static func read(_ section: Section, limits: Limits, hasToken: Bool) -> ReplayRules {
    var rules = ReplayRules()
    rules.buffer = limits.replayBuffer
    let unauthorized = section["replay_unauthorized"]
    if hasToken, let value = unauthorized?.value(.onOff) { rules.unauthorized = value }
    if !hasToken { unauthorized?.complain("is for a token, and credentials: none means without one") }
    section.read("replay_buffer", .replayBuffer, into: &rules.buffer)
    rules.throttled = section.section("throttled", Throttling.read)
    return rules
  }
}

extension Format<Int> {
  /// What is kept of a request's content: one buffer of it at most.
  static var replayBuffer: Self { .size(0...64 * 1024) }
}
