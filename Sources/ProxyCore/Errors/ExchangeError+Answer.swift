internal import HTTPWire
internal import Tokens
internal import Upstream

extension ExchangeError {
  /// The response for the client; nil when the client is gone, or a response has begun already.
  var answer: ErrorAnswer? {
    switch self {
    case .clientGone, .clientTLS, .proxyHeader, .responseIncomplete, .tunnelBroken, .tunnelIdle: nil
    case .request(let error): Self.answer(error)
    case .requestTimeout:
      ErrorAnswer(
        status: 408, title: "The request did not come in time",
        detail: "The proxy waited for the rest of the request, and closes the connection now.",
        hint: "timeouts.head and timeouts.body in proxy.conf say how long it waits.",
        proxyStatus: "http_request_error", proxyStatusDetails: "request timeout")
    case .contentTooLarge(let route):
      ErrorAnswer(
        status: 413, title: "The request's content is too large",
        detail: "The route \(route.name) takes \(route.policy.bodyLimit) bytes at most.",
        hint: "The route's body, or limits.body, in proxy.conf sets the bound.", proxyStatus: "http_request_error",
        proxyStatusDetails: "content too large")
    case .clientTooSlow:
      ErrorAnswer(
        status: 408, title: "The request's content comes too slowly",
        detail: "It came more slowly than any client may send, for longer than a pause may be.",
        hint: "limits.min_rate in proxy.conf is the least rate, and timeouts.body how far a client may fall behind.",
        proxyStatus: "http_request_error", proxyStatusDetails: "too slow")
    case .tokenRequest(let refusal, let route): refusal.answer(route)
    case .tooManyConnections:
      ErrorAnswer(
        status: 503, title: "Too many connections",
        detail: "Your address has as many connections to the proxy as one address may.",
        hint: "Close connections that are not in use; limits.connections_per_client in proxy.conf sets the bound.",
        proxyStatus: "connection_limit_reached", retryAfter: 1)
    case .noPlace(let route, let refusal): refusal.answer(route)
    case .noMemory:
      ErrorAnswer(
        status: 503, title: "The proxy has no memory left for this request",
        detail: "The requests that are under way take as much memory as they may, and no room came in time.",
        hint: """
          Send it again later. limits.memory in proxy.conf sets the bound; clients that read slowly hold most of it, and           limits.min_rate and timeouts.body bound how slow they may be.
          """,
        proxyStatus: "connection_limit_reached", proxyStatusDetails: "memory", retryAfter: 1)
    case .headTooLarge:
      ErrorAnswer(
        status: 431, title: "The request's fields are too large",
        detail: "With the token added they do not fit into the proxy's buffer.",
        hint: "Send fewer or shorter fields; cookies are the usual cause.", proxyStatus: "http_request_error",
        proxyStatusDetails: "head too large")
    case .noRoute(let target, let path, let nearest): Self.noRoute(target, path, nearest)
    case .notMounted(let path): Self.notMounted(path)
    case .leavesRoute(let route):
      ErrorAnswer(
        status: 403, title: "The path leads out of the route",
        detail: "Its dot segments leave what the route \(route.name) covers.",
        hint: "Request the path without \"..\".", proxyStatus: "http_request_denied",
        proxyStatusDetails: "dot segments leave the route")
    case .connectMethod(let method):
      ErrorAnswer(
        status: 501, title: "This method is not served",
        detail: "\(method) is not CONNECT, and other programs may take it for that.",
        hint: "Methods are written in capitals: CONNECT.",
        proxyStatus: "http_request_denied", proxyStatusDetails: "CONNECT")
    case .tunnel(let refusal): refusal.answer
    case .misdirected(let misdirection): misdirection.answer
    case .interception(let error):
      ErrorAnswer(
        status: 500, title: "There is no certificate for this host", detail: "\(error).",
        hint: "m2m-proxy check says whether the certificate authority and the routes fit together.",
        proxyStatus: "proxy_configuration_error", proxyStatusDetails: "certificate")
    case .traceMethod:
      ErrorAnswer(
        status: 405, title: "TRACE is not forwarded",
        detail: "The response to TRACE would show the token that the proxy adds.",
        hint: "Use another method; the access log shows what was forwarded.",
        proxyStatus: "http_request_denied", proxyStatusDetails: "TRACE")
    case .denied(let refusal): refusal.answer
    case .caller(let refusal): refusal.answer
    case .token(let failure):
      ErrorAnswer(
        status: failure.status, title: failure.title, detail: failure.detail, hint: failure.hint,
        proxyStatus: failure.proxyStatusError, proxyStatusDetails: failure.proxyStatusDetails,
        retryAfter: failure.retryAfter)
    case .tokenTimeout(let endpoint):
      ErrorAnswer(
        status: 504, title: "The token did not come in time",
        detail: "\(endpoint) has not answered yet; the request waited for a token as long as it may.",
        hint: "timeouts.token in proxy.conf says how long a request waits.",
        proxyStatus: "proxy_internal_response", proxyStatusDetails: "token endpoint: wait timed out")
    case .tooManyHosts(let route, ofClient: true):
      ErrorAnswer(
        status: 503, title: "Too many hosts of this client at the same time",
        detail: "The route \(route.name) would need one more, and this client uses as many hosts as one client may.",
        hint: """
          Use fewer at a time, or raise limits.client_share (client_share for this route alone) or limits.wildcard_hosts in \
          proxy.conf; where all requests come from one address, write client_share: off.
          """,
        proxyStatus: "connection_limit_reached", proxyStatusDetails: "hosts of this client", retryAfter: 1)
    case .tooManyHosts(let route, ofClient: false):
      ErrorAnswer(
        status: 503, title: "Too many hosts at the same time",
        detail: "The route \(route.name) would need one more, and as many hosts below wildcards as may be are in use.",
        hint: "limits.wildcard_hosts in proxy.conf sets the bound.", proxyStatus: "connection_limit_reached",
        proxyStatusDetails: "hosts", retryAfter: 1)
    case .upstream(let error, let route): Self.answer(error, route)
    case .upstreamBroken(let reason, let route): Self.broken(reason, route)
    case .upstreamSpokeFirst(let route):
      ErrorAnswer(
        status: 502, title: "The upstream sent bytes before the request",
        detail: "\(route.destination.name) sent bytes on a new connection before the request; they answer nothing.",
        hint: "Does it speak HTTP? Mail servers and databases send first. The request was not sent.",
        proxyStatus: "http_protocol_error", proxyStatusDetails: "bytes before the request")
    case .upstreamTimeout(let route):
      ErrorAnswer(
        status: 504, title: "The upstream did not answer in time",
        detail: "\(route.destination.name) accepted the connection, but no response came.",
        hint: "timeouts.first_byte and timeouts.body of the route say how long the proxy waits.",
        proxyStatus: "http_response_timeout")
    case .response(let error, let route):
      ErrorAnswer(
        status: 502, title: "The upstream's response is not valid HTTP",
        detail: "\(route.destination.name): \(error.message)",
        hint: "The response cannot be passed on safely; fix the upstream.",
        proxyStatus: "http_protocol_error")
    case .outOfTime(let route):
      ErrorAnswer(
        status: 504, title: "The request took too long",
        detail: "It was not finished in the time that the route \(route.name) has for all of it.",
        hint: "timeouts.total of the route says how long that is; the log says where the time went.",
        proxyStatus: "http_response_timeout", proxyStatusDetails: "total time")
    case .draining:
      ErrorAnswer(
        status: 503, title: "The proxy is stopping",
        detail: "It received a signal to stop, and the request did not finish in time.",
        hint: "Send the request again.", proxyStatus: "proxy_internal_error", proxyStatusDetails: "draining",
        retryAfter: 1)
    }
  }

  private static func answer(_ error: WireError) -> ErrorAnswer {
    ErrorAnswer(
      status: error.status, title: "The request is not valid", detail: error.message,
      hint: hint(error), proxyStatus: "http_request_error")
  }

  private static func hint(_ error: WireError) -> String {
    switch error {
    case .requestLineTooLong, .methodTooLong, .headTooLarge:
      "Send a shorter one, or raise limits.head in proxy.conf; cookies and long queries are the usual cause."
    case .tooManyFields: "Send fewer, or raise limits.fields in proxy.conf."
    case .tlsHandshake:
      "Write http:// where the application names the proxy: http_proxy=http://…, or a base URL http://…."
    case .plainHTTP:
      "Write https:// where the application names the proxy: a base URL https://…, or http_proxy=https://… if it can do that."
    case .proxyHeader:
      "Name the sender's address under proxy_protocol of this listener, or let it send the bare connection."
    case .unsupportedVersion: "Let the client speak HTTP/1.1 here; HTTP/2 is not served."
    default: "The proxy passes on nothing that two programs could read in two ways."
    }
  }

  private static func noRoute(_ target: String, _ path: String?, _ nearest: String?) -> ErrorAnswer {
    let likely = nearest.map { " The most similar one known is \($0)." } ?? ""
    let others = path == nil ? "" : " The routes for \(target) are for other paths."
    return ErrorAnswer(
      status: 403, title: "No route",
      detail: "No route in proxy.conf matches \(target)\(path ?? "").\(others)\(likely)",
      hint: path == nil
        ? "To allow it, add this line under routes, with the API's own identifier as audience: \(routeLine(target)) "
          + "With several credentials, add \"credentials: NAME\"; with none, write \"credentials: none\" in place of the "
          + "audience; where the API is at another address, \"forward_to: URL\"."
        : "To allow it, add a match to a route that begins with \(target) and takes this path, or request a path "
          + "that has a route.",
      proxyStatus: "http_request_denied", proxyStatusDetails: "no route")
  }

  /// A route for `target`, a host with its port and path if it has them, as a line of proxy.conf.
  private static func routeLine(_ target: String) -> String {
    let isInside = target.contains("/")
    let allowed = target.utf8.map { byte in
      let isPlain =
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true;
        default: false
        }
      return isPlain ? byte : 0x2D
    }
    let name = String(decoding: allowed.prefix(64), as: UTF8.self)
    let host = target.prefix { $0 != "/" }
    let tunnel = isInside ? ", tunnel: intercept" : ""
    return "- { name: \"\(name)\", match: \"\(target)\", audience: \"https://\(host)\"\(tunnel) }"
  }

  private static func notMounted(_ path: String) -> ErrorAnswer {
    ErrorAnswer(
      status: 403, title: "No route", detail: "No route in proxy.conf is mounted at \(path).",
      hint: "Use this address as an HTTP proxy (http_proxy), or give a route \"mount: /…\" and use that as base URL.",
      proxyStatus: "http_request_denied", proxyStatusDetails: "no mount")
  }

  private static func broken(_ reason: String, _ route: ProxyRoute) -> ErrorAnswer {
    ErrorAnswer(
      status: 502, title: "The connection to the upstream broke",
      detail: "\(route.destination.name) closed the connection before it answered (\(reason)).",
      hint: "The request may or may not have been processed, so it was not sent again.",
      proxyStatus: "connection_terminated")
  }
}
