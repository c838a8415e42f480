extension ErrorKind {
  /// Errors about the caller of a request: `callers` and `credentials` by caller in proxy.conf.
  enum Caller: String, ErrorKindGroup {
    case passwordNeeded = "password_needed"
    case passwordWrong = "password_wrong"
    case unknown = "caller_unknown"
    case notAdmitted = "caller_not_admitted"
    case tooManyGuesses = "too_many_guesses"
    case busy = "passwords_busy"

    var declaration: ErrorDeclaration {
      switch self {
      case .passwordNeeded:
        ErrorDeclaration(
          .policy, status: 407, title: "User and password are needed", details: "caller",
          meaning: "The request has no user and password, and `callers` requires them.",
          remedy: "Give the application the proxy as `http://USER:PASSWORD@HOST:PORT`.")
      case .passwordWrong:
        ErrorDeclaration(
          .policy, status: 407, title: "User or password is wrong",
          details: "caller", meaning: "No caller in proxy.conf has this user and password.",
          remedy: "Correct them in the application or in proxy.conf (`m2m-proxy hash-password`).")
      case .unknown:
        ErrorDeclaration(
          .policy, status: 403, title: "This client is not known",
          details: "caller",
          meaning: "The request names no caller, and the client cannot be asked for a password.",
          remedy: "Use the address as `http_proxy` with a password, or give the caller a certificate or a `uid`.")
      case .notAdmitted:
        ErrorDeclaration(
          .policy, status: 403, title: "This caller is not served here",
          details: "caller", meaning: "The caller is known, and the listener or route does not serve it.",
          remedy: "If it should be allowed, add it to `callers`, or to `credentials` by caller, there.")
      case .tooManyGuesses:
        ErrorDeclaration(
          .policy, status: 429, title: "Too many wrong passwords",
          details: "wrong passwords",
          meaning: "Too many wrong passwords came from the client's address; for now the proxy checks no more.",
          remedy: "Set the right password in the application; `event=caller` lines say which client it is.")
      case .busy:
        ErrorDeclaration(
          .internal, status: 503, title: "Too many passwords at once",
          details: "passwords",
          meaning: "The proxy is already verifying as many passwords as it can, or this one took too long.",
          remedy:
            "Find out which clients send many different passwords; one that was verified once is not checked again.")
      }
    }
  }
}

/// What serves certain callers only.
enum CallerPlace {
  case listener(String)
  case route(ProxyRoute)

  fileprivate var name: String {
    switch self {
    case .listener(let address): "the listener \(address)"
    case .route(let route): "the route \(route.name)"
    }
  }
}

/// How a request of an unknown caller arrived.
enum CallerApproach {
  /// At a proxy.
  case proxy
  /// At the server of a base URL.
  case baseURL
  /// Through a tunnel.
  case tunnel

  /// How its client can identify itself.
  fileprivate var hint: String {
    switch self {
    case .proxy: "Callers identify themselves by password, by certificate, or by their user on a Unix socket."
    case .baseURL:
      "A base-URL client cannot send a proxy's password: let it use this address as HTTP proxy (http_proxy), or give "
        + "the caller a certificate or a uid in proxy.conf."
    case .tunnel:
      "User and password are sent with CONNECT: give the application the proxy as http://USER:PASSWORD@HOST:PORT."
    }
  }
}

extension ExchangeError {
  /// The request has no user and password; with them it might be served.
  static func passwordNeeded(_ place: CallerPlace) -> ExchangeError {
    ExchangeError(
      .caller(.passwordNeeded),
      detail: "The request has no user and password, and \(place.name) serves only known callers.",
      hint:
        "Give the application the proxy as http://USER:PASSWORD@HOST:PORT; USER is the name of a caller in proxy.conf.")
  }

  /// User and password match no caller.
  static func passwordWrong(_ place: CallerPlace) -> ExchangeError {
    ExchangeError(
      .caller(.passwordWrong),
      detail: "No caller in proxy.conf has this user and password, and \(place.name) serves only known callers.",
      hint: "Correct them in the application or in proxy.conf; m2m-proxy hash-password makes the hash for proxy.conf.")
  }

  /// The caller is unknown, and the client cannot be challenged, or could not respond to a challenge.
  static func callerUnknown(_ place: CallerPlace, _ approach: CallerApproach) -> ExchangeError {
    ExchangeError(
      .caller(.unknown), detail: "The request names no caller, and \(place.name) serves only known callers.",
      hint: approach.hint)
  }

  /// The caller is known, and the place does not serve it.
  static func callerNotAdmitted(_ caller: String, _ place: CallerPlace) -> ExchangeError {
    ExchangeError(
      .caller(.notAdmitted), detail: "\(caller) is not one of the callers that \(place.name) serves.",
      hint: "To allow it, add it to \"callers\", or to \"credentials\" by caller, there in proxy.conf.")
  }

  /// The client has sent too many wrong passwords.
  static func tooManyGuesses(seconds: Int) -> ExchangeError {
    ExchangeError(
      .caller(.tooManyGuesses), detail: "Too many wrong passwords came from your address; wait and try again.",
      hint: "Set the right user and password in the application. If they are right, send the request again after the "
        + "time in Retry-After: a repeated password is checked before new ones.",
      retryAfter: seconds)
  }

  /// Too many passwords are being checked.
  static let passwordsBusy = ExchangeError(
    .caller(.busy),
    hint:
      "Send the request again: a repeated password is checked before new ones, and one that was verified once is not "
      + "checked again.")
}
