internal import Routing

extension ErrorKind {
  /// What the proxy never forwards, and what the rules of proxy.conf do not allow.
  enum Rule: String, ErrorKindGroup {
    case connectMethod = "connect_method"
    case trace = "trace_method"
    case loop
    case listenerClient = "client_address"
    case browserRequest = "browser_request"
    case foreignHost = "foreign_host"
    case routeClient = "client_address_route"
    case method = "method_not_allowed"
    case path = "path_not_allowed"
    case ambiguousPath = "ambiguous_path"
    case overrideField = "override_field"

    var declaration: ErrorDeclaration {
      switch self {
      case .connectMethod:
        ErrorDeclaration(
          .policy, status: 501, title: "This method is not served",
          details: "CONNECT", endsConnection: true,
          meaning: "The method is CONNECT in other capitals, which other programs may take for CONNECT.",
          remedy: "Methods are written in capitals: CONNECT.")
      case .trace:
        ErrorDeclaration(
          .policy, status: 405, title: "TRACE is not forwarded", details: "TRACE",
          meaning: "The response to TRACE would show the token that the proxy adds.",
          remedy: "Use another method; the access log shows what was forwarded.")
      case .loop:
        ErrorDeclaration(
          .policy, status: 508, title: "The request is in a forwarding loop", proxyStatus: "proxy_loop_detected",
          meaning: "The proxy has forwarded the request before (`Via`), or the upstream is a listener of this proxy.",
          remedy: "Let `forward_to` of the route name the server that the requests are for.")
      case .listenerClient:
        ErrorDeclaration(
          .policy, status: 403, title: "This client may not use the proxy",
          details: "client address", endsConnection: true,
          meaning: "The address of the client is not in `allow` of the listener.",
          remedy: "If it should be allowed, add its address or network to `allow` of the listener.")
      case .browserRequest:
        ErrorDeclaration(
          .policy, status: 403, title: "Requests of web pages are refused",
          details: "browser request", meaning: "A browser sent the request for a web page of another site.",
          remedy: "If you want that, write `browser_requests: allow` for the listener.")
      case .foreignHost:
        ErrorDeclaration(
          .policy, status: 403, title: "This is not a name of the proxy",
          details: "foreign host",
          meaning: "A loopback connection names the proxy by a name that is not this machine's (DNS rebinding).",
          remedy: "Call it `127.0.0.1` or `localhost`, or write `browser_requests: allow` for the listener.")
      case .routeClient:
        ErrorDeclaration(
          .policy, status: 403, title: "This client may not use the route",
          details: "client address", meaning: "The address of the client is not in `allow` of the route.",
          remedy: "If it should be allowed, add its address or network to `allow` of the route.")
      case .method:
        ErrorDeclaration(
          .policy, status: 405, title: "The route does not serve this method",
          details: "method", meaning: "The method is not in `methods` of the route.",
          remedy: "If it should be allowed, add it to `methods` of the route.")
      case .path:
        ErrorDeclaration(
          .policy, status: 403, title: "The route does not serve this path",
          details: "path", meaning: "The path is not under `paths` of the route.",
          remedy: "If it should be allowed, add its beginning to `paths` of the route.")
      case .ambiguousPath:
        ErrorDeclaration(
          .policy, status: 403, title: "The path can be read in two ways",
          details: "ambiguous path",
          meaning: "Servers read the path in different ways, and the rules or routes for these differ.",
          remedy: "Request the plain path, without encoded letters, dots and slashes, and without `//` and `;`.")
      case .overrideField:
        ErrorDeclaration(
          .policy, status: 403, title: "The request would change its path on the way", details: "path override",
          meaning: "A field of the request makes some servers use another method or path, which is not allowed.",
          remedy: "Send the intended method and path in the request line, and not the field that `detail` names.")
      }
    }
  }
}

extension ExchangeError {
  /// A method that other programs may take for CONNECT.
  static func connectMethod(_ method: String) -> ExchangeError {
    ExchangeError(
      .rule(.connectMethod), detail: "\(method) is not CONNECT, and other programs may take it for that.")
  }

  /// TRACE would show the token to the client.
  static let traceMethod = ExchangeError(.rule(.trace))

  /// The request has passed through this proxy before.
  static let forwardingLoop = ExchangeError(
    .rule(.loop), detail: "The Via field of the request says that this proxy has forwarded it before.",
    hint: "forward_to of a route in proxy.conf leads, directly or through others, back to the proxy.")

  /// The client's address is not in `allow` of the listener.
  static func listenerClient(address: String, listener: String) -> ExchangeError {
    ExchangeError(
      .rule(.listenerClient), detail: "\(address) is not in the allow list of the listener \(listener).",
      hint: "To allow it, add its address or network to \"allow\" of that listener in proxy.conf.")
  }

  /// A browser sent it on behalf of a web page; `sign` is the field that shows this.
  static func browserRequest(sign: String, listener: String) -> ExchangeError {
    ExchangeError(
      .rule(.browserRequest),
      detail:
        "A browser sent the request for a web page (\(sign)), and the listener \(listener) rejects such requests.",
      hint: "If that is what you want, write \"browser_requests: allow\" for that listener in proxy.conf.")
  }

  /// A client called a loopback listener by a name that is not this machine's.
  static func foreignHost(_ host: String, listener: String) -> ExchangeError {
    ExchangeError(
      .rule(.foreignHost), detail: "The request names the listener \(listener) as \(host), as in DNS rebinding.",
      hint: "Call it 127.0.0.1 or localhost, or write \"browser_requests: allow\" for that listener in proxy.conf.")
  }

  /// The client's address is not in `allow` of the route.
  static func routeClient(address: String, _ route: ProxyRoute) -> ExchangeError {
    ExchangeError(
      .rule(.routeClient), detail: "\(address) is not in the allow list of the route \(route.name).",
      hint: "To allow it, add its address or network to \"allow\" of that route in proxy.conf.")
  }

  /// The method is not in `methods` of the route.
  static func methodNotAllowed(_ method: String, _ route: ProxyRoute) -> ExchangeError {
    ExchangeError(
      .rule(.method),
      detail: "\(method) is not in \"methods\" of the route \(route.name): \(route.policy.rules.allowedMethods).",
      hint: "To allow it, add it to \"methods\" of that route in proxy.conf.", allow: route.policy.rules.allowedMethods)
  }

  /// The path is not in `paths` of the route.
  static func pathNotAllowed(_ path: String, _ route: ProxyRoute) -> ExchangeError {
    ExchangeError(
      .rule(.path),
      detail: "\(path) is not under \"paths\" of the route \(route.name): \(route.policy.rules.allowedPaths).",
      hint: "To allow it, add its beginning to \"paths\" of that route in proxy.conf.")
  }

  /// Servers may read the path in different ways, and the route's rules, or other routes, treat these differently.
  static func ambiguousPath(_ path: String, _ conflict: PathConflict, _ route: ProxyRoute) -> ExchangeError {
    ExchangeError(
      .rule(.ambiguousPath), detail: "As it was sent, \(path) is for the route \(route.name); \(conflict.text).",
      hint:
        "Send the intended path, without percent-encoded letters, dots and slashes, and without \\, //, ;parameters, "
        + "and segments of dots and spaces such as /./, /../ and /.../. A base URL that ends in / is the usual cause of //."
    )
  }

  /// A field could make frameworks take the request for one that the route does not serve.
  static func overrides(_ part: OverrideField, field: String, _ route: ProxyRoute) -> ExchangeError {
    let kind = ErrorKind.rule(.overrideField)
    let name = route.name
    let outside =
      "\(field) names a path that the route \(name) does not forward in every reading, or one too long to compare."
    let another =
      "\(field) makes some servers use another path, and the path decides what the route \(name) may forward."
    return switch part {
    case .method:
      ExchangeError(
        kind, title: "The request would change its method on the way",
        detail: "\(field) does not name one of \"methods\" of the route \(name): \(route.policy.rules.allowedMethods).",
        hint: "Send the intended method in the request line, and the field once or not at all.",
        proxyStatusDetails: "method override")
    case .destination:
      ExchangeError(
        kind, title: "The request would write outside of its route", detail: outside,
        hint:
          "Send one complete URL with a path that a request to this route could have: the URL by which the application reaches "
          + "the API, with the host and the beginning of the path of this request.",
        proxyStatusDetails: "destination")
    case .source, .accountSource:
      ExchangeError(
        kind, title: "The request would read outside of its route", detail: outside,
        hint: "A copy or a link may only name a path that a request to this route could have, written as in a request.",
        proxyStatusDetails: "copy source")
    case .prefix:
      ExchangeError(
        kind,
        detail:
          "Some applications remove the value of \(field) from the path, or put it in front; then the route \(name) "
          + "would not forward it, or the path is too long to compare.",
        hint: "Leave the field out. If a proxy in front adds it, let that remove the field again.",
        proxyStatusDetails: "path prefix")
    case .path:
      ExchangeError(kind, detail: another, hint: "Send the intended path in the request line, and not this field.")
    case .original, .forwardedPath:
      ExchangeError(
        kind, detail: another,
        hint: "Send the intended path in the request line. If a proxy in front adds this field, configure it not to.")
    }
  }
}
