/// Why a request inside a tunnel is not for the host that the tunnel is for (RFC 9110 section 15.5.20).
enum Misdirection {
  /// In TLS the client named another server than in CONNECT.
  case serverName(String, tunnel: String)
  /// The request names another host, or another port.
  case host(String, tunnel: String)
  /// The request's target says http inside TLS, or https where there is none.
  case scheme(tunnel: String)

  var answer: ErrorAnswer {
    ErrorAnswer(
      status: 421, title: "The request is for another host than its tunnel", detail: detail,
      hint: "Open a tunnel (CONNECT) for each host, and name the same host there, in TLS and in Host.",
      proxyStatus: "http_request_error", proxyStatusDetails: "misdirected")
  }

  private var detail: String {
    switch self {
    case .serverName(let name, let tunnel): "CONNECT named \(tunnel), and TLS (SNI) \(name)."
    case .host(let name, let tunnel): "CONNECT named \(tunnel), and the request inside \(name)."
    case .scheme(let tunnel):
      "The request's target has another scheme than what is spoken inside the tunnel to \(tunnel)."
    }
  }
}

/// Why there is no tunnel for a CONNECT, or nothing but a tunnel for a request.
enum TunnelRefusal {
  /// No route names the host that CONNECT names: as it is written in a `match`, and a name for a route of its own.
  case unknownHost(String, routeName: String)
  /// The host has a route for requests, which a tunnel would carry past it.
  case hasRequests(host: String, ProxyRoute)
  /// The host has tunnels, and none to this port.
  case otherPort(target: String, ProxyRoute)
  /// A request for a host that only tunnels lead to.
  case isTunnel(host: String, ProxyRoute)
  /// CONNECT inside a tunnel whose requests are served here.
  case nested(String, inside: String)

  /// Its name in the log and in metrics.
  var kind: String {
    switch self {
    case .unknownHost: "no_route"
    case .hasRequests: "tunnel_past_route"
    case .otherPort: "tunnel_port"
    case .isTunnel: "tunnel_only"
    case .nested: "tunnel_nested"
    }
  }

  var answer: ErrorAnswer {
    switch self {
    case .unknownHost(let match, let name):
      ErrorAnswer(
        status: 403, title: "No route for this tunnel",
        detail: "No route in proxy.conf says that CONNECT may lead to \(match).",
        // In the layout of proxy.conf, to be copied.
        hint: "To tunnel it unchanged, add under routes in proxy.conf:\n"
          + "  - name: \(name)\n    match: \(match)\n    tunnel: blind\n"
          + "For a token, give the host a route with \"tunnel: intercept\", or let the application use http://.",
        proxyStatus: "http_request_denied", proxyStatusDetails: "no route")
    case .hasRequests(let host, let route):
      ErrorAnswer(
        status: 403, title: "This host is not for tunnels",
        detail: "The route \(route.name) is for requests to \(host); a blind tunnel would carry them past it.",
        hint:
          "Write \"tunnel: intercept\" for that route in proxy.conf, and let the application trust the proxy's certificate "
          + "authority (m2m-proxy ca trust); or let it use http://\(host)/...: the proxy uses https to the upstream.",
        proxyStatus: "http_request_denied", proxyStatusDetails: "tunnel past a route")
    case .otherPort(let target, let route):
      ErrorAnswer(
        status: 403, title: "No tunnel to this port",
        detail: "\(target) is not one of the ports to which CONNECT may lead by the route \(route.name): "
          + "\(route.policy.tunnelPorts).",
        hint: "To allow it, add \(target) to \"match\" of that route in proxy.conf.",
        proxyStatus: "http_request_denied", proxyStatusDetails: "port")
    case .isTunnel(let host, let route):
      ErrorAnswer(
        status: 403, title: "This host is for tunnels only",
        detail: "The route \(route.name) serves CONNECT, and this is a request for \(host).",
        hint: "Use https://\(host)/... with this proxy, or give the host a route without \"tunnel\" in proxy.conf.",
        proxyStatus: "http_request_denied", proxyStatusDetails: "tunnel only")
    case .nested(let target, let tunnel):
      ErrorAnswer(
        status: 403, title: "No tunnel inside a tunnel",
        detail: "CONNECT to \(target) came inside the tunnel to \(tunnel), whose requests the proxy serves itself.",
        hint: "Let the application send CONNECT to the proxy on a connection of its own.",
        proxyStatus: "http_request_denied", proxyStatusDetails: "nested tunnel")
    }
  }
}
