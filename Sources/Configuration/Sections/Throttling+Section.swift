extension Throttling {
  /// Reads the section `throttled` of a route.
  static func read(_ section: Section) -> Throttling {
    var throttling = Throttling()
    section.read("wait", .duration, into: &throttling.wait)
    section.read("attempts", .count(1...10), into: &throttling.attempts)
    return throttling
  }
}
