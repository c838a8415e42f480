extension Limits {
  /// Reads the section `limits`.
  mutating func read(_ section: Section) {
    section.read("head", .size(1024...48 * 1024), into: &head)
    section.read("request_line", .size(512...48 * 1024), into: &requestLine)
    section.read("fields", .count(1...1000), into: &fields)
    section.read("response_head", .size(1024...48 * 1024), into: &responseHead)
    section.read("memory", .memoryLimit, into: &memory)
    section.read("buffer", .size(16 * 1024...1024 * 1024), into: &buffer)
    section.read("body", .bodySize, into: &body)
    section.read("min_rate", .rate, into: &minRate)
    section.read("replay_buffer", .replayBuffer, into: &replayBuffer)
    section.read("connections", .count(1...1_000_000), into: &connections)
    section.read("connections_per_client", .count(1...1_000_000), into: &connectionsPerClient)
    section.read("handshakes", .count(1...100_000), into: &handshakes)
    section.read("requests_per_connection", .count(1...1_000_000_000), into: &requestsPerConnection)
    section.read("upstream_connections", .count(1...65_535), into: &upstreamConnections)
    section.read("queue", .count(0...1_000_000), into: &queue)
    section.read("client_share", .clientShare, into: &clientShare)
    section.read("wildcard_hosts", .count(1...10_000), into: &wildcardHosts)
  }
}
