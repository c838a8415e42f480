/// Why a request inside a tunnel is not for the host that the tunnel is for (RFC 9110 section 15.5.20).
enum Misdirection {
  /// In TLS the client asked for another server than in CONNECT.
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
