internal import Routing

/// Which rule of proxy.conf refused a request.
enum PolicyRefusal {
  /// The client's address is not in `allow` of the listener.
  case listenerClient(address: String, listener: String)
  /// The request has been here before.
  case loop
  /// A browser sent it on behalf of a web page; `sign` is the field that says so.
  case browserRequest(sign: String, listener: String)
  /// A loopback listener was called by a name that is not this machine's.
  case foreignHost(String, listener: String)
  /// The client's address is not in `allow` of the route.
  case routeClient(address: String, ProxyRoute)
  /// The method is not in `methods` of the route.
  case method(String, ProxyRoute)
  /// The path is not in `paths` of the route.
  case path(String, ProxyRoute)
  /// Servers would read the path in different ways, for which the route's rules or other routes differ.
  case ambiguousPath(String, PathConflict, ProxyRoute)
  /// A field would make frameworks take the request for one that the route does not serve.
  case overrides(OverrideField, field: String, ProxyRoute)

  /// Its name in the log and in metrics.
  var kind: String {
    switch self {
    case .listenerClient: "client_address"
    case .loop: "loop"
    case .browserRequest: "browser_request"
    case .foreignHost: "foreign_host"
    case .routeClient: "client_address_route"
    case .method: "method_not_allowed"
    case .path: "path_not_allowed"
    case .ambiguousPath: "ambiguous_path"
    case .overrides: "override_field"
    }
  }

  /// Whether the client has no business on the connection at all.
  var endsConnection: Bool {
    if case .listenerClient = self { true } else { false }
  }

  var answer: ErrorAnswer {
    switch self {
    case .listenerClient(let address, let listener):
      ErrorAnswer(
        status: 403, title: "This client may not use the proxy",
        detail: "\(address) is not in the allow list of the listener \(listener).",
        hint: "To allow it, add its address or network to \"allow\" of that listener in proxy.conf.",
        proxyStatus: "http_request_denied", proxyStatusDetails: "client address")
    case .loop:
      ErrorAnswer(
        status: 508, title: "The request is in a forwarding loop",
        detail: "Its Via field says that this proxy has forwarded it before.",
        hint: "forward_to of a route in proxy.conf leads, directly or through others, back to the proxy.",
        proxyStatus: "proxy_loop_detected")
    case .browserRequest(let sign, let listener):
      ErrorAnswer(
        status: 403, title: "Requests of web pages are refused",
        detail:
          "A browser sent it on behalf of a web page (\(sign)), and the listener \(listener) serves none of those.",
        hint: "If that is what you want, write \"browser_requests: allow\" for that listener in proxy.conf.",
        proxyStatus: "http_request_denied", proxyStatusDetails: "browser request")
    case .foreignHost(let host, let listener):
      ErrorAnswer(
        status: 403, title: "This is not a name of the proxy",
        detail: "The request names the listener \(listener) as \(host), as in DNS rebinding.",
        hint:
          "Call it 127.0.0.1 or localhost, or write \"browser_requests: allow\" for that listener in proxy.conf.",
        proxyStatus: "http_request_denied", proxyStatusDetails: "foreign host")
    case .routeClient(let address, let route):
      ErrorAnswer(
        status: 403, title: "This client may not use the route",
        detail: "\(address) is not in the allow list of the route \(route.name).",
        hint: "To allow it, add its address or network to \"allow\" of that route in proxy.conf.",
        proxyStatus: "http_request_denied", proxyStatusDetails: "client address")
    case .method(let method, let route):
      ErrorAnswer(
        status: 405, title: "The route does not serve this method",
        detail: "\(method) is not in \"methods\" of the route \(route.name): \(route.policy.rules.allowedMethods).",
        hint: "To allow it, add it to \"methods\" of that route in proxy.conf.",
        proxyStatus: "http_request_denied", proxyStatusDetails: "method", allow: route.policy.rules.allowedMethods)
    case .path(let path, let route):
      ErrorAnswer(
        status: 403, title: "The route does not serve this path",
        detail: "\(path) is not under \"paths\" of the route \(route.name): \(route.policy.rules.allowedPaths).",
        hint: "To allow it, add its beginning to \"paths\" of that route in proxy.conf.",
        proxyStatus: "http_request_denied", proxyStatusDetails: "path")
    case .ambiguousPath(let path, let conflict, let route):
      ErrorAnswer(
        status: 403, title: "The path can be read in two ways",
        detail: "As it was sent, \(path) is for the route \(route.name); \(conflict.text).",
        hint:
          "Send the intended path, without percent-encoded letters, dots and slashes, and without \\, //, ;parameters, "
          + "and segments of dots and spaces such as /./, /../ and /.../. A base URL that ends in / is the usual cause of //.",
        proxyStatus: "http_request_denied", proxyStatusDetails: "ambiguous path")
    case .overrides(.method, let field, let route):
      ErrorAnswer(
        status: 403, title: "The request would change its method on the way",
        detail:
          "\(field) does not name one of \"methods\" of the route \(route.name): \(route.policy.rules.allowedMethods).",
        hint: "Send the intended method in the request line, and the field once or not at all.",
        proxyStatus: "http_request_denied", proxyStatusDetails: "method override")
    case .overrides(.destination, let field, let route):
      ErrorAnswer(
        status: 403, title: "The request would write outside of its route",
        detail:
          "\(field) names a path that the route \(route.name) does not forward in every reading, or one too long to compare.",
        hint:
          "Send one complete URL of the API, with a path that a request to this route could have. Behind a mount or a path "
          + "in forward_to that is the API's own path, not the proxy's.",
        proxyStatus: "http_request_denied", proxyStatusDetails: "destination")
    case .overrides(.source, let field, let route), .overrides(.accountSource, let field, let route):
      ErrorAnswer(
        status: 403, title: "The request would read outside of its route",
        detail:
          "\(field) names a path that the route \(route.name) does not forward in every reading, or one too long to compare.",
        hint:
          "A copy or a link may only name a path that a request to this route could have, written as in a request.",
        proxyStatus: "http_request_denied", proxyStatusDetails: "copy source")
    case .overrides(.prefix, let field, let route):
      ErrorAnswer(
        status: 403, title: "The request would change its path on the way",
        detail:
          "Some applications remove the value of \(field) from the path, or put it in front; then the route \(route.name) "
          + "would not forward it, or the path is too long to compare.",
        hint: "Leave the field out. If a proxy in front adds it, let that remove the field again.",
        proxyStatus: "http_request_denied", proxyStatusDetails: "path prefix")
    case .overrides(.path, let field, let route):
      ErrorAnswer(
        status: 403, title: "The request would change its path on the way",
        detail:
          "\(field) makes some servers use another path, and the path decides what the route \(route.name) may forward.",
        hint: "Send the intended path in the request line, and not this field.",
        proxyStatus: "http_request_denied", proxyStatusDetails: "path override")
    case .overrides(.original, let field, let route), .overrides(.forwardedPath, let field, let route):
      ErrorAnswer(
        status: 403, title: "The request would change its path on the way",
        detail:
          "\(field) makes some servers use another path, and the path decides what the route \(route.name) may forward.",
        hint:
          "Send the intended path in the request line. If a proxy in front adds this field, configure it not to.",
        proxyStatus: "http_request_denied", proxyStatusDetails: "path override")
    }
  }
}
