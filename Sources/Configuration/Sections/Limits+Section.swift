extension Limits {
  /// Reads the section `limits`.
  mutating func read(_ section: Section) {
    section.read("head", .size(1024...48 * 1024), into: &head)
    section.read("fields", .count(1...1000), into: &fields)
    section.read("connections", .count(1...1_000_000), into: &connections)
    section.read("upstream_connections", .count(1...65_535), into: &upstreamConnections)
    section.read("queue", .count(0...1_000_000), into: &queue)
  }
}
