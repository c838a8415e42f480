/// A request, and what it says about the connection.
struct ArrivedRequest {
  /// What the handler gets.
  let content: ServiceRequest
  /// Whether the method is HEAD.
  let isHead: Bool
  /// Whether the client wants the connection to stay open.
  let keepsAlive: Bool
}
