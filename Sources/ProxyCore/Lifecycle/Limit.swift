/// The limits of proxy.conf, as the metrics call them, and the system's.
enum Limit: String, CaseIterable {
  case connections
  case connectionsPerClient = "connections_per_client"
  case requestsPerConnection = "requests_per_connection"
  case head
  case requestLine = "request_line"
  case fields
  case responseHead = "response_head"
  case body
  case minRate = "min_rate"
  case upstreamConnections = "upstream_connections"
  case queue
  case clientShare = "client_share"
  case concurrency
  case concurrencyQueue = "concurrency.queue"
  case concurrencyWait = "concurrency.wait"
  case concurrencyClientShare = "concurrency.client_share"
  case handshakes
  case memory
  case wildcardHosts = "wildcard_hosts"
  /// Descriptors, or the memory for them.
  case descriptors
}
