internal import Configuration
internal import Upstream

/// How to fix it when a parent proxy answers CONNECT with an error.
enum ParentProxyRefusal {
  /// One sentence about `status`.
  static func hint(for status: Int) -> String {
    switch status {
    case 401, 407: "Check user and password of parent_proxy: they are missing, or not the ones that it knows."
    case 403, 405: "Its rules have to allow CONNECT from this machine to this host and port."
    case 500...: "It could not reach the host itself: its log says why."
    default: "Is parent_proxy an HTTP proxy that knows CONNECT?"
    }
  }
}

extension ExchangeError {
  static func answer(_ error: UpstreamError, _ route: ProxyRoute) -> ErrorAnswer {
    let origin = route.destination.name
    switch error {
    case .dns(let detail):
      return ErrorAnswer(
        status: 502, title: "The upstream's name could not be resolved", detail: "\(origin): \(detail).",
        hint: "Check the host of the route \(route.name) and this machine's DNS.", proxyStatus: "dns_error")
    case .connect(let detail):
      return ErrorAnswer(
        status: 502, title: "The upstream cannot be reached", detail: "\(origin): \(detail).",
        hint: "Is it running, and is the port of the route \(route.name) right?", proxyStatus: "connection_refused")
    case .prohibited(let detail):
      return ErrorAnswer(
        status: 502, title: "The upstream's address is forbidden", detail: "\(origin): \(detail).",
        hint: "Check the DNS entry of the host of the route \(route.name); no connection was made.",
        proxyStatus: "destination_ip_prohibited")
    case .privateAddress(let detail):
      return ErrorAnswer(
        status: 502, title: "The upstream's address is not a public one", detail: "\(origin): \(detail).",
        hint: """
          If it belongs there, write "allow_private: true" for the route \(route.name) in proxy.conf; no connection was \
          made.
          """,
        proxyStatus: "destination_ip_prohibited")
    case .ownListener(let detail):
      return ErrorAnswer(
        status: 508, title: "The upstream is this proxy itself",
        detail: "\(origin): \(detail) is where the proxy listens.",
        hint: route.policy.tunnel != .blind
          ? "Let forward_to of the route \(route.name) name the server that the requests are for."
          : "Ask this proxy for the request itself, without a tunnel to it.",
        proxyStatus: "proxy_loop_detected")
    case .connectTimeout(let detail):
      return ErrorAnswer(
        status: 504, title: "Connecting to the upstream took too long", detail: "\(origin): \(detail).",
        hint: "A firewall often looks like this; timeouts.connect says how long the proxy tries.",
        proxyStatus: "connection_timeout")
    case .certificate(let detail):
      return ErrorAnswer(
        status: 502, title: "The upstream's certificate is not trusted", detail: "\(origin): \(detail).",
        hint: """
          Its subject alternative names and its dates have to be right; if its authority is your own, name it in \
          tls.ca_file. Verification is never turned off.
          """,
        proxyStatus: "tls_certificate_error")
    case .clientCertificate(let detail):
      return ErrorAnswer(
        status: 502, title: "The client certificate for the upstream cannot be used", detail: "\(origin): \(detail).",
        hint: """
          Fix client_certificate of the route \(route.name), or its files; they are read again for each connection.
          """,
        proxyStatus: "proxy_configuration_error")
    case .parentProxy(let detail):
      return ErrorAnswer(
        status: 502, title: "The parent proxy cannot be reached", detail: "\(origin): \(detail).",
        hint: "Is it running, and is parent_proxy right? parent_proxy: none in the route connects directly.",
        proxyStatus: "destination_unavailable", proxyStatusDetails: "parent proxy")
    case .parentProxyRefusal(let detail, let status):
      return ErrorAnswer(
        status: 502, title: "The parent proxy made no connection", detail: "\(origin): \(detail).",
        hint: ParentProxyRefusal.hint(for: status), proxyStatus: "destination_unavailable",
        proxyStatusDetails: "parent proxy: status \(status)")
    case .tls(let detail):
      return ErrorAnswer(
        status: 502, title: "No TLS connection to the upstream", detail: "\(origin): \(detail).",
        hint: "TLS 1.2 or later is required; for an upstream without TLS write forward_to: http://….",
        proxyStatus: "tls_protocol_error")
    case .exhausted:
      return ErrorAnswer(
        status: 503, title: "Too many requests wait for the upstream", detail: "\(origin): \(error).",
        hint: "limits.upstream_connections and limits.queue in proxy.conf set the bounds.",
        proxyStatus: "connection_limit_reached", retryAfter: 1)
    case .clientShare:
      return ErrorAnswer(
        status: 503, title: "Too many requests of this client at once",
        detail: "This client has as many requests to \(origin) under way, or waiting, as one client may.",
        hint: """
          Send fewer at a time, or raise limits.client_share (client_share for the route \(route.name) alone) in proxy.conf; \
          where all requests come from one address, write off.
          """,
        proxyStatus: "connection_limit_reached", proxyStatusDetails: "connections of this client", retryAfter: 1)
    case .noDescriptors:
      return ErrorAnswer(
        status: 503, title: "The proxy has no descriptor left", detail: "\(origin): \(error).",
        hint: "Raise the limit of open files (ulimit -n), or lower limits.connections.",
        proxyStatus: "connection_limit_reached", proxyStatusDetails: "descriptors", retryAfter: 1)
    case .broken(let detail), .other(let detail):
      return ErrorAnswer(
        status: 502, title: "The connection to the upstream failed", detail: "\(origin): \(detail).",
        hint: "The proxy's log has the same line; the upstream's log may have more.",
        proxyStatus: "destination_unavailable")
    }
  }
}
