internal import Configuration
internal import HTTPWire
internal import Outbound
internal import Upstream

extension ErrorKind {
  /// Connections to an upstream, and its responses.
  enum Upstream: String, ErrorKindGroup {
    case dns = "upstream_dns"
    case connect = "upstream_connect"
    case prohibited = "upstream_prohibited"
    case privateAddress = "upstream_private"
    case connectTimeout = "upstream_connect_timeout"
    case certificate = "upstream_certificate"
    case clientCertificate = "client_certificate"
    case tls = "upstream_tls"
    case parentProxy = "parent_proxy"
    case parentProxyRefusal = "parent_proxy_refused"
    case exhausted = "upstream_exhausted"
    case noDescriptors = "no_descriptors"
    case broken = "upstream_broken"
    case other = "upstream_other"
    case spokeFirst = "upstream_spoke_first"
    case timeout = "upstream_timeout"
    case malformedResponse = "malformed_response"
    case incompleteResponse = "incomplete_response"
    case tunnelBroken = "tunnel_broken"

    var declaration: ErrorDeclaration {
      switch self {
      case .dns:
        ErrorDeclaration(
          .upstream, status: 502, title: "The upstream's name could not be resolved", proxyStatus: "dns_error",
          meaning: "The host name of the upstream could not be resolved.",
          remedy: "Check the host of the route, and the DNS of this machine.")
      case .connect:
        ErrorDeclaration(
          .upstream, status: 502, title: "The upstream cannot be reached", proxyStatus: "connection_refused",
          meaning: "The upstream rejects connections, or there is no network route to it.",
          remedy: "Check that the upstream is running, and the port of the route.")
      case .prohibited:
        ErrorDeclaration(
          .upstream, status: 502, title: "The upstream's address is forbidden",
          proxyStatus: "destination_ip_prohibited",
          meaning: "The host has only addresses that the proxy never connects to, such as cloud metadata.",
          remedy: "Check the DNS entry of the host of the route; no connection was made.")
      case .privateAddress:
        ErrorDeclaration(
          .upstream, status: 502, title: "The upstream's address is not a public one",
          proxyStatus: "destination_ip_prohibited",
          meaning: "The host has only addresses of private networks or of this machine.",
          remedy: "If the upstream belongs there, write `allow_private: true` for the route.")
      case .connectTimeout:
        ErrorDeclaration(
          .upstream, status: 504, title: "Connecting to the upstream took too long",
          proxyStatus: "connection_timeout",
          meaning: "No connection was made within `timeouts.connect`; a firewall often looks like this.",
          remedy: "Check that this machine may connect to the upstream, or raise `timeouts.connect`.")
      case .certificate:
        ErrorDeclaration(
          .upstream, status: 502, title: "The upstream's certificate is not trusted",
          proxyStatus: "tls_certificate_error",
          meaning: "The certificate of the upstream is expired, for another name, or of an unknown authority.",
          remedy:
            "Fix the certificate, or name its authority in `tls.ca_file` of the route. Verification is never turned off."
        )
      case .clientCertificate:
        ErrorDeclaration(
          .upstream, status: 502, title: "The client certificate for the upstream cannot be used",
          proxyStatus: "proxy_configuration_error",
          meaning: "The proxy's own certificate for the upstream, or its key, cannot be used.",
          remedy: "Fix `client_certificate` of the route, or its files; they are read again for each connection.")
      case .tls:
        ErrorDeclaration(
          .upstream, status: 502, title: "No TLS connection to the upstream", proxyStatus: "tls_protocol_error",
          meaning: "TLS with the upstream failed for another reason than its certificate; `detail` names its alert.",
          remedy: "See `hint`. TLS 1.2 or later is required; for an upstream without TLS write `forward_to: http://…`.")
      case .parentProxy:
        ErrorDeclaration(
          .upstream, status: 502, title: "The parent proxy cannot be reached",
          details: "parent proxy", meaning: "There is no connection to the parent proxy.",
          remedy: "Is it running, and is `parent_proxy` right? `parent_proxy: none` in the route connects directly.")
      case .parentProxyRefusal:
        ErrorDeclaration(
          .upstream, status: 502, title: "The parent proxy made no connection",
          meaning: "The parent proxy rejected CONNECT; `detail` has its status.",
          remedy: "Check user and password of `parent_proxy`, and whether its rules allow CONNECT to the upstream.")
      case .exhausted:
        ErrorDeclaration(
          .upstream, status: 503, title: "Too many requests wait for the upstream",
          proxyStatus: "connection_limit_reached", limit: .queue,
          meaning: "All connections to the upstream are in use, and too many requests wait, or one for too long.",
          remedy: "`limits.upstream_connections` and `limits.queue` set the limits.")
      case .noDescriptors:
        ErrorDeclaration(
          .upstream, status: 503, title: "The proxy has no descriptor left", proxyStatus: "connection_limit_reached",
          details: "descriptors", limit: .descriptors,
          meaning: "The process or the machine has no file descriptor left for a connection to the upstream.",
          remedy: "Raise the limit of open files (`ulimit -n`), or lower `limits.connections`.")
      case .broken:
        ErrorDeclaration(
          .upstream, status: 502, title: "The connection to the upstream broke",
          proxyStatus: "connection_terminated",
          meaning: "The connection to the upstream broke before the response began.",
          remedy: "See the log of the upstream. The request may have been processed, so it was not sent again.")
      case .other:
        ErrorDeclaration(
          .upstream, status: 502, title: "The connection to the upstream failed",
          meaning: "There is no connection to the upstream for another reason; `detail` says which.",
          remedy: "The proxy's log has the same line; the upstream's log may have more.")
      case .spokeFirst:
        ErrorDeclaration(
          .upstream, status: 502, title: "The upstream sent bytes before the request",
          proxyStatus: "http_protocol_error", details: "bytes before the request",
          meaning: "The upstream sent bytes on a new connection before there was a request.",
          remedy: "Does it speak HTTP? Mail servers and databases send first. The request was not sent.")
      case .timeout:
        ErrorDeclaration(
          .upstream, status: 504, title: "The upstream did not respond in time", proxyStatus: "http_response_timeout",
          meaning: "The upstream accepted the connection, but sent no response in time.",
          remedy: "`timeouts.first_byte` and `timeouts.body` of the route say how long the proxy waits.")
      case .malformedResponse:
        ErrorDeclaration(
          .upstream, status: 502, title: "The upstream's response is not valid HTTP",
          proxyStatus: "http_protocol_error",
          meaning: "The response of the upstream is not valid HTTP, or is larger than `limits` allow.",
          remedy: "The response cannot be forwarded safely; fix the upstream.")
      case .incompleteResponse:
        ErrorDeclaration(
          withoutResponse: .upstream,
          meaning: "The response ended too early, when part of it had been sent to the client; `detail` says how.",
          remedy: "See [when a request fails](#when-a-request-fails).")
      case .tunnelBroken:
        ErrorDeclaration(
          withoutResponse: .upstream,
          meaning: "The connection of a tunnel or a WebSocket broke on the side of the upstream.",
          remedy: "Check the upstream and the network; `detail` says how it broke.")
      }
    }
  }
}

extension ExchangeError {
  /// There is no connection to the upstream.
  static func upstream(_ error: UpstreamError, _ route: ProxyRoute) -> ExchangeError {
    let detail = "\(route.destination.name): \(error)."
    func failed(_ kind: ErrorKind.Upstream, hint: String? = nil) -> ExchangeError {
      ExchangeError(.upstream(kind), detail: detail, hint: hint)
    }
    return switch error {
    case .dns: failed(.dns, hint: "Check the host of the route \(route.name) and this machine's DNS.")
    case .connect: failed(.connect, hint: "Is it running, and is the port of the route \(route.name) right?")
    case .prohibited:
      failed(
        .prohibited, hint: "Check the DNS entry of the host of the route \(route.name); no connection was made.")
    case .privateAddress:
      failed(
        .privateAddress,
        hint: """
          If it belongs there, write "allow_private: true" for the route \(route.name) in proxy.conf; no connection was \
          made.
          """)
    case .connectTimeout:
      failed(
        .connectTimeout, hint: "A firewall often looks like this; timeouts.connect says how long the proxy tries.")
    case .certificate:
      failed(
        .certificate,
        hint: """
          Its subject alternative names and its dates have to be right; if its authority is your own, name it in \
          tls.ca_file of the route \(route.name). Verification is never turned off.
          """)
    case .clientCertificate:
      failed(
        .clientCertificate,
        hint: """
          Fix client_certificate of the route \(route.name), or its files; they are read again for each connection.
          """)
    case .tls:
      failed(.tls, hint: "TLS 1.2 or later is required; for an upstream without TLS write forward_to: http://….")
    case .alert(let alert):
      ExchangeError(
        .upstream(.tls), title: "The upstream refused the TLS connection", detail: detail,
        hint: TLSAlertHint.text(
          for: alert, of: "the route \(route.name)",
          hasCertificate: route.destination.origin?.options.clientCertificate != nil),
        proxyStatus: "tls_alert_received", proxyStatusDetails: "alert \(alert)")
    case .parentProxy: failed(.parentProxy)
    case .exhausted: failed(.exhausted)
    case .noDescriptors: failed(.noDescriptors)
    case .other, .undecodable, .notHTTP: failed(.other)
    case .clientShare: .clientShare(of: route)
    case .ownListener(let listener): .upstreamIsThisProxy(listener, route)
    case .parentProxyRefusal(_, let status):
      ExchangeError(
        .upstream(.parentProxyRefusal), detail: detail, hint: ParentProxyRefusal.hint(for: status),
        proxyStatusDetails: "parent proxy: status \(status)")
    case .broken:
      ExchangeError(
        .upstream(.broken), title: "The connection to the upstream failed", detail: detail,
        hint: "The proxy's log has the same line; the upstream's log may have more.",
        proxyStatus: "destination_unavailable")
    }
  }

  private static func upstreamIsThisProxy(_ listener: String, _ route: ProxyRoute) -> ExchangeError {
    ExchangeError(
      .rule(.loop), title: "The upstream is this proxy itself",
      detail: "\(route.destination.name): \(listener) is where the proxy listens.",
      hint: route.policy.tunnel != .blind
        ? "Let forward_to of the route \(route.name) name the server that the requests are for."
        : "Send the request itself to this proxy, without a tunnel to it.")
  }

  /// The connection broke before a response began.
  static func upstreamBroken(_ reason: String, _ route: ProxyRoute) -> ExchangeError {
    ExchangeError(
      .upstream(.broken),
      detail: "\(route.destination.name) closed the connection before it responded (\(reason)).",
      hint: "The request may or may not have been processed, so it was not sent again.")
  }

  /// The upstream sent bytes before the request: it is unknown which request they, and all bytes after them, respond to.
  static func upstreamSpokeFirst(_ route: ProxyRoute) -> ExchangeError {
    ExchangeError(
      .upstream(.spokeFirst),
      detail:
        "\(route.destination.name) sent bytes on a new connection before the request; they cannot be its response.")
  }

  /// The upstream did not begin to respond in time, or stopped taking the request.
  static func upstreamTimeout(_ route: ProxyRoute) -> ExchangeError {
    ExchangeError(
      .upstream(.timeout), detail: "\(route.destination.name) accepted the connection, but no response came.")
  }

  /// The upstream's response is not HTTP that can be forwarded.
  static func response(_ error: WireError, _ route: ProxyRoute) -> ExchangeError {
    let limit: Limit? =
      switch error {
      case .headTooLarge, .statusLineTooLong: .responseHead
      case .tooManyFields: .fields
      default: nil
      }
    return ExchangeError(
      .upstream(.malformedResponse), detail: "\(route.destination.name): \(error.message)", limit: limit)
  }

  /// The response ended too early, or broke, or stalled, after part of it had been forwarded.
  static func responseIncomplete(_ reason: String) -> ExchangeError {
    ExchangeError(.upstream(.incompleteResponse), detail: reason)
  }

  /// The connection of a tunnel broke, on the upstream's side.
  static func tunnelBroken(_ reason: String) -> ExchangeError {
    ExchangeError(.upstream(.tunnelBroken), detail: reason)
  }
}

/// How to fix it when a server ends TLS with an alert.
enum TLSAlertHint {
  /// One or two sentences about `alert`.
  ///
  /// - Parameter owner: what has the settings of the connection: `the route orders`.
  /// - Parameter hasCertificate: whether they name a client certificate; nil if unknown.
  static func text(for alert: TLSAlert, of owner: String, hasCertificate: Bool?) -> String {
    let missing = "The server wants a client certificate: set client_certificate of \(owner)."
    let rejected =
      "The server does not accept the certificate of client_certificate of \(owner): its authority, its dates and its "
      + "purpose have to be those that the server expects; the server's log says which is not."
    switch alert.subject {
    case .missingCertificate, .certificate:
      if let hasCertificate { return hasCertificate ? rejected : missing }
      return "The server wants a client certificate that it accepts: check client_certificate of \(owner)."
    case .parameters:
      let common = "The server accepts none of the cipher suites, groups and signatures that the proxy offers"
      return hasCertificate == true
        ? "\(common), or not the certificate of client_certificate of \(owner)."
        : "\(common), or it wants a client certificate: then set client_certificate of \(owner)."
    case .version: return "TLS 1.2 or later is required, and the server speaks none of these versions."
    case .host:
      return
        "The server has no certificate for this host name (SNI): check the host in the URL, and the server's names."
    case .applicationProtocol:
      return "The proxy speaks HTTP/1.1 alone (ALPN http/1.1), and the server does not on this port: enable it there."
    case .other: return "The server's log says what it did not like."
    }
  }
}

/// How to fix it when a parent proxy responds to CONNECT with an error.
enum ParentProxyRefusal {
  /// One sentence about `status`.
  static func hint(for status: Int) -> String {
    switch status {
    case 401, 407: "Check user and password of parent_proxy: they are missing or wrong."
    case 403, 405: "The rules of the parent proxy have to allow CONNECT from this machine to this host and port."
    case 500...: "The parent proxy could not reach the host; its log says why."
    default: "Is parent_proxy an HTTP proxy that supports CONNECT?"
    }
  }
}
