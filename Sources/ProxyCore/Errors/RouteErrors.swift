extension ErrorKind {
  /// Requests and tunnels that no route in proxy.conf provides for.
  enum Route: String, ErrorKindGroup {
    case none = "no_route"
    case notMounted = "not_mounted"
    case left = "leaves_route"
    case tunnelPastRoute = "tunnel_past_route"
    case tunnelPort = "tunnel_port"
    case tunnelOnly = "tunnel_only"
    case nestedTunnel = "tunnel_nested"

    var declaration: ErrorDeclaration {
      switch self {
      case .none:
        ErrorDeclaration(
          .policy, status: 403, title: "No route", details: "no route",
          meaning: "No route matches the host, the port or the path, or no route allows CONNECT to the host.",
          remedy: "If it should be allowed, add the route that the hint of the response shows.")
      case .notMounted:
        ErrorDeclaration(
          .policy, status: 403, title: "No route", details: "no mount",
          meaning: "The client used the proxy as the server of a base URL, and no route is mounted at the path.",
          remedy: "Set the proxy as `http_proxy` in the client, or give a route a `mount`.")
      case .left:
        ErrorDeclaration(
          .policy, status: 403, title: "The path leads out of the route",
          details: "dot segments leave the route",
          meaning: "The dot segments of the path lead out of the route.",
          remedy: "Request the path without `..`.")
      case .tunnelPastRoute:
        ErrorDeclaration(
          .policy, status: 403, title: "This host is not for tunnels",
          details: "tunnel past a route",
          meaning: "CONNECT to a host with a route for requests, which a blind tunnel would bypass.",
          remedy: "Write `tunnel: intercept` for that route, or let the application use `http://`.")
      case .tunnelPort:
        ErrorDeclaration(
          .policy, status: 403, title: "No tunnel to this port", details: "port",
          meaning: "CONNECT to a host that has tunnels, but not to this port.",
          remedy: "If it should be allowed, add host and port to `match` of the route.")
      case .tunnelOnly:
        ErrorDeclaration(
          .policy, status: 403, title: "This host is for tunnels only",
          details: "tunnel only", meaning: "A request without CONNECT for a host whose route has `tunnel: blind`.",
          remedy: "Use `https://` in the client, or give the host a route without `tunnel`.")
      case .nestedTunnel:
        ErrorDeclaration(
          .policy, status: 403, title: "No tunnel inside a tunnel",
          details: "nested tunnel", meaning: "CONNECT inside an intercepted tunnel.",
          remedy: "Let the application send CONNECT to the proxy on a connection of its own.")
      }
    }
  }
}

extension ExchangeError {
  /// No route matches this target: the host and port that the client requested, its path if the host has routes for
  /// other paths, and the most similar known name; `credentials` are those that a route could have.
  static func noRoute(target: String, path: String?, nearest: String?, credentials: [String]) -> ExchangeError {
    let likely = nearest.map { " The most similar one known is \($0)." } ?? ""
    let others = path == nil ? "" : " The routes for \(target) are for other paths."
    let otherwise =
      switch credentials.count {
      case 0: " With credentials in proxy.conf, write the API's own identifier as audience in their place."
      case 1:
        " Replace the audience by the API's own identifier, or, where the API needs no token, by \"credentials: none\"."
      default:
        " Replace the audience by the API's own identifier, and \(credentials[0]) by other credentials if they are meant."
      }
    return ExchangeError(
      .route(.none), detail: "No route in proxy.conf matches \(target)\(path ?? "").\(others)\(likely)",
      hint: path == nil
        ? "To allow it, add this line under routes: \(routeLine(target, credentials))\(otherwise) "
          + "If the API has another address, add \"forward_to: URL\"."
        : "To allow it, add a match to a route that begins with \(target) and takes this path, or request a path "
          + "that has a route.")
  }

  /// A route for `target`, a host with its port if it has one, as a line of proxy.conf.
  private static func routeLine(_ target: String, _ credentials: [String]) -> String {
    let allowed = target.utf8.map { byte in
      let isPlain =
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true;
        default: false
        }
      return isPlain ? byte : 0x2D
    }
    let name = String(decoding: allowed.prefix(64), as: UTF8.self)
    let token =
      switch credentials.count {
      case 0: "credentials: none"
      case 1: "audience: \"https://\(target)\""
      default: "credentials: \"\(credentials[0])\", audience: \"https://\(target)\""
      }
    return "- { name: \"\(name)\", match: \"\(target)\", \(token) }"
  }

  /// No route is mounted at this path.
  static func notMounted(path: String) -> ExchangeError {
    ExchangeError(
      .route(.notMounted), detail: "No route in proxy.conf is mounted at \(path).",
      hint: "Use this address as an HTTP proxy (http_proxy), or give a route \"mount: /…\" and use that as base URL.")
  }

  /// The path's dot segments lead out of what the route covers.
  static func leavesRoute(_ route: ProxyRoute) -> ExchangeError {
    ExchangeError(.route(.left), detail: "The dot segments of the path lead out of the route \(route.name).")
  }

  /// No route names the host of a CONNECT: `match` as proxy.conf would have it, and a name for a route of its own.
  static func noTunnel(to match: String, routeName: String) -> ExchangeError {
    ExchangeError(
      .route(.none), title: "No route for this tunnel",
      detail: "No route in proxy.conf allows CONNECT to \(match).",
      // One line, to be copied from the log as well.
      hint: "To tunnel it unchanged, add this line under routes: "
        + "- { name: \"\(routeName)\", match: \"\(match)\", tunnel: blind } "
        + "For a token, give the host a route with \"tunnel: intercept\", or let the application use http://.")
  }

  /// The host has a route for requests, which a tunnel would bypass.
  static func tunnelPastRoute(host: String, _ route: ProxyRoute) -> ExchangeError {
    ExchangeError(
      .route(.tunnelPastRoute),
      detail: "The route \(route.name) is for requests to \(host); a blind tunnel would bypass it.",
      hint:
        "Write \"tunnel: intercept\" for that route in proxy.conf, and let the application trust the proxy's certificate "
        + "authority (m2m-proxy ca trust); or let it use http://\(host)/...: the proxy uses https to the upstream.")
  }

  /// The host has tunnels, but none to this port.
  static func tunnelPort(_ target: String, _ route: ProxyRoute) -> ExchangeError {
    ExchangeError(
      .route(.tunnelPort),
      detail: "\(target) is not one of the ports to which the route \(route.name) allows CONNECT: "
        + "\(route.policy.tunnelPorts).",
      hint: "To allow it, add \(target) to \"match\" of that route in proxy.conf.")
  }

  /// A request for a host that has only tunnels.
  static func tunnelOnly(host: String, _ route: ProxyRoute) -> ExchangeError {
    ExchangeError(
      .route(.tunnelOnly), detail: "The route \(route.name) serves CONNECT, and this is a request for \(host).",
      hint: "Use https://\(host)/... with this proxy, or give the host a route without \"tunnel\" in proxy.conf.")
  }

  /// CONNECT inside a tunnel whose requests are served here.
  static func nestedTunnel(_ target: String, inside tunnel: String) -> ExchangeError {
    ExchangeError(
      .route(.nestedTunnel),
      detail: "CONNECT to \(target) came inside the tunnel to \(tunnel), whose requests the proxy serves itself.")
  }
}
