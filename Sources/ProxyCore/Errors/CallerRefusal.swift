/// Why a request is not served for what is known, or not known, of who sent it.
enum CallerRefusal {
  /// What serves certain callers only.
  enum Place {
    case listener(String)
    case route(ProxyRoute)

    /// It in words.
    var name: String {
      switch self {
      case .listener(let address): "the listener \(address)"
      case .route(let route): "the route \(route.name)"
      }
    }
  }

  /// How a request came.
  enum Way {
    /// To a proxy.
    case proxy
    /// To the server of a base URL.
    case baseURL
    /// Through a tunnel.
    case tunnel

    /// How its client can say who it is.
    var hint: String {
      switch self {
      case .proxy: "Callers in proxy.conf are known by password, by certificate, or by their user on a Unix socket."
      case .baseURL:
        "A base-URL client cannot send a proxy's password: let it use this address as HTTP proxy (http_proxy), or give "
          + "the caller a certificate or a uid in proxy.conf."
      case .tunnel:
        "User and password come with CONNECT: give the application the proxy as http://USER:PASSWORD@HOST:PORT."
      }
    }
  }

  /// It came without user and password, and with them it might be served.
  case passwordNeeded(Place)
  /// Its user and password match no caller.
  case passwordWrong(Place)
  /// The caller is unknown, and the client cannot be challenged, or could not answer.
  case unknown(Place, Way)
  /// It is known who sent it, and that is not one who is served.
  case notAdmitted(caller: String, Place)
  /// The client has sent too many wrong passwords.
  case tooManyGuesses(seconds: Int)
  /// Too many passwords are being checked.
  case busy

  /// Its name in the log and in metrics.
  var kind: String {
    switch self {
    case .passwordNeeded: "password_needed"
    case .passwordWrong: "password_wrong"
    case .unknown: "caller_unknown"
    case .notAdmitted: "caller_not_admitted"
    case .tooManyGuesses: "too_many_guesses"
    case .busy: "passwords_busy"
    }
  }

  var answer: ErrorAnswer {
    switch self {
    case .passwordNeeded(let place):
      ErrorAnswer(
        status: 407, title: "Who is calling?",
        detail: "The request came without user and password, and \(place.name) serves callers that it knows.",
        hint: "Give the application the proxy as http://USER:PASSWORD@HOST:PORT; callers in proxy.conf are the users.",
        proxyStatus: "http_request_denied", proxyStatusDetails: "caller")
    case .passwordWrong(let place):
      ErrorAnswer(
        status: 407, title: "User or password is wrong",
        detail: "No caller in proxy.conf has both, and \(place.name) serves callers that it knows.",
        hint: "Set them again, in the application or in proxy.conf; m2m-proxy hash-password makes the hash for there.",
        proxyStatus: "http_request_denied", proxyStatusDetails: "caller")
    case .unknown(let place, let way):
      ErrorAnswer(
        status: 403, title: "This client is not known",
        detail: "Nothing says who sent the request, and \(place.name) serves callers that it knows.",
        hint: way.hint, proxyStatus: "http_request_denied", proxyStatusDetails: "caller")
    case .notAdmitted(let caller, let place):
      ErrorAnswer(
        status: 403, title: "This caller is not served here",
        detail: "\(caller) is not one of the callers that \(place.name) serves.",
        hint: "To allow it, add it to \"callers\", or to \"credentials\" by caller, there in proxy.conf.",
        proxyStatus: "http_request_denied", proxyStatusDetails: "caller")
    case .tooManyGuesses(let seconds):
      ErrorAnswer(
        status: 429, title: "Too many wrong passwords",
        detail: "Your address has sent so many that no more are checked for now.",
        hint: "Set the right user and password in the application. If they are right, send the request again after the "
          + "time in Retry-After: a repeated password is checked before new ones.",
        proxyStatus: "http_request_denied", proxyStatusDetails: "wrong passwords", retryAfter: seconds)
    case .busy:
      ErrorAnswer(
        status: 503, title: "Too many passwords at once",
        detail: "Too many passwords wait for their check, or this one waited too long.",
        hint:
          "Send the request again: a repeated password is checked before new ones, and one that was right once is not "
          + "checked again.",
        proxyStatus: "proxy_internal_error", proxyStatusDetails: "passwords", retryAfter: 1)
    }
  }
}
