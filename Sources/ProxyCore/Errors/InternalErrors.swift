internal import Interception

extension ErrorKind {
  /// Limits of the proxy, its own time, and its own work.
  enum Internal: String, ErrorKindGroup {
    case tooManyConnections = "too_many_connections"
    case tooManyHosts = "too_many_hosts"
    case clientShare = "client_share"
    case concurrencyQueue = "concurrency_queue"
    case concurrencyWait = "concurrency_wait"
    case concurrencyClientShare = "concurrency_client_share"
    case memory
    case interception
    case outOfTime = "out_of_time"
    case tunnelIdle = "tunnel_idle"
    case draining

    var declaration: ErrorDeclaration {
      switch self {
      case .tooManyConnections:
        ErrorDeclaration(
          .internal, status: 503, title: "Too many connections", proxyStatus: "connection_limit_reached",
          endsConnection: true, limit: .connectionsPerClient,
          meaning:
            "The client's address has `limits.connections_per_client` connections already, or `limits.client_share` of all.",
          remedy: "Close connections that are not in use; `limits.connections_per_client` sets the limit.")
      case .tooManyHosts:
        ErrorDeclaration(
          .internal, status: 503, title: "Too many hosts at the same time", proxyStatus: "connection_limit_reached",
          details: "hosts", limit: .wildcardHosts,
          meaning: "The maximum number of hosts below wildcards is in use.",
          remedy: "`limits.wildcard_hosts` sets the limit.")
      case .clientShare:
        ErrorDeclaration(
          .internal, status: 503, title: "Too many requests of this client at once",
          proxyStatus: "connection_limit_reached", details: "connections of this client", limit: .clientShare,
          meaning: "One client uses its maximum of connections to an upstream, or of hosts below wildcards.",
          remedy: "Raise `limits.client_share`, or `client_share` of the route; write `off` if all have one address.")
      case .concurrencyQueue:
        Self.concurrency(
          .concurrencyQueue, "The queue of the route is full (`concurrency.queue`).")
      case .concurrencyWait:
        Self.concurrency(
          .concurrencyWait, "The request waited for its turn longer than `concurrency.wait`.")
      case .concurrencyClientShare:
        ErrorDeclaration(
          .internal, status: 503, title: "Too many requests of this client at once",
          proxyStatus: "connection_limit_reached", details: "concurrency of this client",
          limit: .concurrencyClientShare,
          meaning: "One client has its maximum of requests of the route under way or waiting.",
          remedy: "Send fewer at a time, or raise `client_share` in `concurrency` of the route.")
      case .memory:
        ErrorDeclaration(
          .internal, status: 503, title: "The proxy has no memory left for this request",
          proxyStatus: "connection_limit_reached", details: "memory", endsConnection: true, limit: .memory,
          meaning:
            "Requests use all of `limits.memory` and none was freed in time, or one client has too many connections.",
          remedy: "See [limits and time](#limits-and-time).")
      case .interception:
        ErrorDeclaration(
          .internal, status: 500, title: "There is no certificate for this host",
          proxyStatus: "proxy_configuration_error", details: "certificate",
          meaning: "The proxy cannot make a certificate for the host of an intercepted tunnel.",
          remedy: "`m2m-proxy check` says whether the certificate authority and the routes fit together.")
      case .outOfTime:
        ErrorDeclaration(
          .internal, status: 504, title: "The request took too long", proxyStatus: "http_response_timeout",
          details: "total time", meaning: "The request did not end within `timeouts.total`, whichever side was slow.",
          remedy: "`timeouts.total` of the route sets the limit; the log says where the time went.")
      case .tunnelIdle:
        ErrorDeclaration(
          withoutResponse: .internal,
          meaning: "No data passed through a tunnel or a WebSocket for `timeouts.tunnel`.",
          remedy: "Raise `timeouts.tunnel`, or let the application send something now and then.")
      case .draining:
        ErrorDeclaration(
          .internal, status: 503, title: "The proxy is stopping",
          details: "draining", endsConnection: true,
          meaning: "The proxy received a signal to stop, and the request did not finish in time.",
          remedy: "Send the request again.")
      }
    }

    private static func concurrency(_ limit: Limit, _ meaning: String) -> ErrorDeclaration {
      ErrorDeclaration(
        .internal, status: 503, title: "Too many requests at once", proxyStatus: "connection_limit_reached",
        details: "concurrency", limit: limit, meaning: meaning,
        remedy: "Send fewer at a time, or raise `concurrency` of the route if its API can serve more.")
    }
  }
}

extension ExchangeError {
  /// The client's address has reached its limit of connections.
  static let tooManyConnections = ExchangeError(
    .internal(.tooManyConnections),
    detail: "Your address has reached its maximum of connections to the proxy.")

  /// The limit of hosts below wildcards that are in use, in total or for this client, is reached.
  static func tooManyHosts(_ route: ProxyRoute, ofClient: Bool) -> ExchangeError {
    guard ofClient else {
      return ExchangeError(
        .internal(.tooManyHosts),
        detail:
          "The route \(route.name) needs one more host, but the maximum number of hosts below wildcards is in use.")
    }
    return ExchangeError(
      .internal(.clientShare), title: "Too many hosts of this client at the same time",
      detail: "The route \(route.name) needs one more host, but this client uses its maximum number of hosts.",
      hint: """
        Use fewer at a time, or raise limits.client_share (client_share for this route alone) or limits.wildcard_hosts in \
        proxy.conf; where all requests come from one address, write client_share: off.
        """,
      proxyStatusDetails: "hosts of this client")
  }

  /// The client's share of requests to the upstream, under way or waiting, is used up.
  static func clientShare(of route: ProxyRoute) -> ExchangeError {
    ExchangeError(
      .internal(.clientShare),
      detail:
        "This client has its maximum of requests to \(route.destination.name) under way or waiting.",
      hint: """
        Send fewer at a time, or raise limits.client_share (client_share for the route \(route.name) alone) in proxy.conf; \
        where all requests come from one address, write off.
        """)
  }

  /// The queue of requests of the route that wait for their turn is full.
  static func concurrencyQueue(_ route: ProxyRoute) -> ExchangeError {
    concurrency(.concurrencyQueue, route, "and its queue is full.")
  }

  /// The request waited for its turn for the longest time allowed.
  static func concurrencyWait(_ route: ProxyRoute) -> ExchangeError {
    concurrency(.concurrencyWait, route, "and none of them ended in time.")
  }

  private static func concurrency(_ kind: ErrorKind.Internal, _ route: ProxyRoute, _ reason: String) -> ExchangeError {
    ExchangeError(
      .internal(kind), detail: "The route \(route.name) has its maximum of requests under way, \(reason)",
      hint: "concurrency of the route in proxy.conf sets how many go on (requests), how many wait (queue), and how "
        + "long (wait).")
  }

  /// The client's share of requests of the route that are under way, or of those that wait, is used up.
  static func concurrencyClientShare(_ route: ProxyRoute) -> ExchangeError {
    ExchangeError(
      .internal(.concurrencyClientShare),
      detail: "This client has its maximum of requests of the route \(route.name) under way or waiting.",
      hint: """
        Send fewer at a time, or raise client_share in concurrency of the route in proxy.conf; without it a client may \
        have all of them.
        """)
  }

  /// Little memory is left for another connection of a client that has many.
  static let noMemoryForConnection = ExchangeError(
    .internal(.memory),
    detail:
      "Little memory is left, and the connections of this client use the maximum for one client.",
    hint: """
      Close connections that are not in use, or send the request again later. limits.memory in proxy.conf sets the bound.
      """)

  /// Buffers and connections have reached the limit of memory.
  static let noMemory = ExchangeError(
    .internal(.memory),
    detail: "The requests under way use all of limits.memory, and none was freed in time.",
    hint: """
      Send it again later. limits.memory in proxy.conf sets the bound; clients that read slowly hold most of it, and \
      limits.min_rate and timeouts.body bound how slow they may be.
      """)

  /// There is no certificate to show for the host of a tunnel.
  static func interception(_ error: LeafError) -> ExchangeError {
    ExchangeError(.internal(.interception), detail: "\(error).")
  }

  /// Making that certificate took too long.
  static let certificateTimeout = interception(.failed("making a certificate took too long"))

  /// The exchange took longer than the route allows, whichever side was slow.
  static func outOfTime(_ route: ProxyRoute) -> ExchangeError {
    ExchangeError(
      .internal(.outOfTime), detail: "The request did not end within timeouts.total of the route \(route.name).")
  }

  /// Nothing has moved through the tunnel for the time allowed.
  static let tunnelIdle = ExchangeError(.internal(.tunnelIdle))

  /// The program ends before the request does.
  static let draining = ExchangeError(.internal(.draining))
}
