/// Why a request has no place among those of its route that are under way.
enum PlaceRefusal: CaseIterable {
  /// As many wait as may.
  case queueFull
  /// It has waited for as long as it may.
  case waited
  /// Its client has as many requests under way as one client may, or most of those that wait.
  case clientShare

  /// Its name in the log and in metrics.
  var kind: String {
    switch self {
    case .queueFull: "concurrency_queue"
    case .waited: "concurrency_wait"
    case .clientShare: "concurrency_client_share"
    }
  }

  /// The limit that is reached.
  var limit: Limit {
    switch self {
    case .queueFull: .concurrencyQueue
    case .waited: .concurrencyWait
    case .clientShare: .concurrencyClientShare
    }
  }

  /// What the client is told.
  func answer(_ route: ProxyRoute) -> ErrorAnswer {
    switch self {
    case .queueFull: answer(route, "and as many wait already as may wait.")
    case .waited: answer(route, "and none of them ended in time.")
    case .clientShare:
      ErrorAnswer(
        status: 503, title: "Too many requests of this client at once",
        detail: "This client has as many requests of the route \(route.name) under way, or waiting, as one client may.",
        hint: """
          Send fewer at a time, or raise client_share in concurrency of the route in proxy.conf; without it a client may \
          have all of them.
          """,
        proxyStatus: "connection_limit_reached", proxyStatusDetails: "concurrency of this client", retryAfter: 1)
    }
  }

  private func answer(_ route: ProxyRoute, _ reason: String) -> ErrorAnswer {
    ErrorAnswer(
      status: 503, title: "Too many requests at once",
      detail: "The route \(route.name) has as many requests under way as it may, \(reason)",
      hint: "concurrency of the route in proxy.conf sets how many go on (requests), how many wait (queue), and how "
        + "long (wait).",
      proxyStatus: "connection_limit_reached", proxyStatusDetails: "concurrency", retryAfter: 1)
  }
}
