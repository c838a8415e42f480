internal import HTTPWire

extension ErrorKind {
  /// What a client sends, or does not send.
  enum Client: String, ErrorKindGroup {
    case malformedRequest = "malformed_request"
    case headTooLarge = "head_too_large"
    case contentTooLarge = "content_too_large"
    case requestTimeout = "request_timeout"
    case tooSlow = "client_too_slow"
    case gone = "client_gone"
    case misdirected
    case proxyHeader = "proxy_header"

    var declaration: ErrorDeclaration {
      switch self {
      case .malformedRequest:
        ErrorDeclaration(
          .client, status: 400, otherStatuses: [413, 414, 417, 431, 501, 505], title: "The request is not valid",
          endsConnection: true,
          meaning: "The request is not HTTP/1.1, can be read in two ways, or is larger than `limits` allow.",
          remedy: "Fix the client; `detail` says what is wrong with the request.")
      case .headTooLarge:
        ErrorDeclaration(
          .client, status: 431, title: "The request's fields are too large",
          details: "head too large", limit: .head,
          meaning: "With the token added, the fields of the request do not fit into the proxy's buffer.",
          remedy: "Send fewer or shorter fields; cookies are the usual cause.")
      case .contentTooLarge:
        ErrorDeclaration(
          .client, status: 413, title: "The request's body is too large",
          details: "body too large", endsConnection: true, limit: .body,
          meaning: "The body of the request is larger than the route allows.",
          remedy: "`body` of the route, or `limits.body`, sets the limit.")
      case .requestTimeout:
        ErrorDeclaration(
          .client, status: 408, title: "The request did not arrive in time",
          details: "request timeout", endsConnection: true,
          meaning: "The rest of the request did not arrive in time; the proxy closes the connection.",
          remedy: "`timeouts.head` and `timeouts.body` say how long it waits.")
      case .tooSlow:
        ErrorDeclaration(
          .client, status: 408, title: "The request's body comes too slowly",
          details: "too slow", endsConnection: true, limit: .minRate,
          meaning: "The client sends the body, or reads the response, more slowly than `limits.min_rate`.",
          remedy: "Check the client and its network, or lower `limits.min_rate`, or raise `timeouts.body`.")
      case .gone:
        ErrorDeclaration(
          withoutResponse: .client, meaning: "The client closed the connection before the end of the response.",
          remedy:
            "Often nothing; else compare its timeout with `timeouts.total`, and see `half_close` (`nc -N`, BusyBox).")
      case .misdirected:
        ErrorDeclaration(
          .client, status: 421, title: "The request is for another host than its tunnel", details: "misdirected",
          meaning: "The request in a tunnel, or TLS there, names another host, port or scheme than CONNECT.",
          remedy: "Open a tunnel (CONNECT) for each host, and name the same host there, in TLS and in Host.")
      case .proxyHeader:
        ErrorDeclaration(
          withoutResponse: .client, meaning: "A load balancer's connection did not begin with a PROXY protocol header.",
          remedy: "Have the load balancer send the header, or take its address out of `proxy_protocol`.")
      }
    }
  }
}

extension ExchangeError {
  /// The client sent something that is not a request that can be served.
  static func request(_ error: WireError) -> ExchangeError {
    ExchangeError(
      .client(.malformedRequest), status: error.status, detail: error.message, hint: requestHint(error),
      limit: requestLimit(error))
  }

  private static func requestHint(_ error: WireError) -> String {
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
    case .invalidPercentEncoding: "Write a percent sign in a path as %25: /100%25 in place of /100%."
    case .malformedVersion: "Write a space in the target as %20: GET /my%20file HTTP/1.1."
    case .invalidHost:
      "Write the host as DNS has it: an international name as xn--…, and an IPv6 address in brackets, without a zone."
    case .userinfo:
      "Leave user and password out of the URL, or percent-encode in them everything but letters, digits and -._~."
    case .unsupportedVersion: "Let the client speak HTTP/1.1 here; HTTP/2 is not served."
    default: "The proxy passes on nothing that two programs could read in two ways."
    }
  }

  private static func requestLimit(_ error: WireError) -> Limit? {
    switch error {
    case .requestLineTooLong, .methodTooLong: .requestLine
    case .headTooLarge: .head
    case .tooManyFields: .fields
    default: nil
    }
  }

  /// The request's fields do not fit into what is sent to an upstream.
  static let headTooLarge = ExchangeError(.client(.headTooLarge))

  /// The request's body is larger than the route allows.
  static func contentTooLarge(_ route: ProxyRoute) -> ExchangeError {
    ExchangeError(
      .client(.contentTooLarge), detail: "The route \(route.name) accepts \(route.policy.bodyLimit) bytes at most.")
  }

  /// The head of the request, or the next piece of its body, took too long.
  static let requestTimeout = ExchangeError(.client(.requestTimeout))

  /// The client sends its body, or takes its response, more slowly than `limits.min_rate` allows.
  static let clientTooSlow = ExchangeError(
    .client(.tooSlow), detail: "The client stayed below limits.min_rate for longer than timeouts.body allows.",
    hint: "Send it faster, or lower limits.min_rate or raise timeouts.body in proxy.conf.")

  /// The client went away.
  static let clientGone = ExchangeError(.client(.gone))

  /// In TLS the client named another server than in CONNECT.
  static func misdirected(serverName: String, tunnel: String) -> ExchangeError {
    ExchangeError(.client(.misdirected), detail: "CONNECT named \(tunnel), but TLS (SNI) named \(serverName).")
  }

  /// The request names another host, or another port, than the tunnel that it came in.
  static func misdirected(host: String, tunnel: String) -> ExchangeError {
    ExchangeError(.client(.misdirected), detail: "CONNECT named \(tunnel), but the request inside names \(host).")
  }

  /// The request's target says http inside TLS, or https without TLS.
  static func misdirected(schemeInside tunnel: String) -> ExchangeError {
    ExchangeError(
      .client(.misdirected),
      detail: "The scheme of the request's target is not the one that is used inside the tunnel to \(tunnel).")
  }

  /// A load balancer's connection does not name its client.
  static let proxyHeader = ExchangeError(.client(.proxyHeader))
}
