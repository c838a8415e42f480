/// What is known of the request that a tunnel began with: its head is not kept for as long as the tunnel lasts.
struct TunnelRequest {
  var method: String
  var host: String
  /// Nil for CONNECT, whose target has none.
  var path: String?
  /// What is spoken now; nil for CONNECT, with which nobody says that.
  var protocols: String?
}
