internal import Tokens

extension ErrorKind {
  /// Why a request has no token.
  enum Token: String, ErrorKindGroup {
    case refused = "token_refused"
    case malformed = "token_malformed"
    case redirected = "token_redirected"
    case serverError = "token_server_error"
    case throttled = "token_throttled"
    case nameNotResolved = "token_name_not_resolved"
    case unreachable = "token_unreachable"
    case tls = "token_tls"
    case timedOut = "token_timed_out"
    case unusableCredentials = "token_unusable_credentials"
    case budgetSpent = "token_budget_spent"
    case backingOff = "token_backing_off"
    case wait = "token_wait"

    var declaration: ErrorDeclaration {
      switch self {
      case .refused:
        Self.declare(
          502, "The token endpoint refused", "The token endpoint rejected the request for a token.",
          "Follow the hint of the response or of the `event=token` line; it depends on the error code.")
      case .malformed:
        Self.declare(
          502, "The token endpoint's reply is not a token", "The token endpoint's reply has no usable token.",
          "Check that `token_endpoint` or `domain` of the credentials is right; `detail` says what came.")
      case .redirected:
        Self.declare(
          502, "The token endpoint redirects",
          "The token endpoint responded with a redirect, which the proxy does not follow.",
          "Set `token_endpoint` or `domain` of the credentials to the endpoint itself.")
      case .serverError:
        Self.declare(
          503, "The token endpoint failed", "The token endpoint responded with a status of 500 or more.",
          "The proxy retries by itself. If it lasts, see the status page or log of the authorization server.")
      case .throttled:
        Self.declare(
          503, "The token endpoint limits the rate of requests",
          "The token endpoint responded with 429: too many requests.",
          "The proxy retries by itself. If it happens often, give m2m-proxy a client of its own.")
      case .nameNotResolved:
        Self.declare(
          503, "The token endpoint cannot be reached", "The host name of the token endpoint could not be resolved.",
          "Check `token_endpoint` or `domain` of the credentials, and the DNS of this machine.")
      case .unreachable:
        Self.declare(
          503, "The token endpoint cannot be reached", "There was no connection to the token endpoint, or it broke.",
          "Check that this machine may connect to it: firewall, network, parent proxy.")
      case .tls:
        Self.declare(
          503, "No secure connection to the token endpoint", "The TLS connection to the token endpoint failed.",
          "Check the clock of this machine; name a private authority in `tls.ca_file` of the credentials.")
      case .timedOut:
        Self.declare(
          504, "The token endpoint did not respond in time", "The token endpoint sent no complete response in time.",
          "Check that this machine may connect to it: firewall, network, parent proxy.")
      case .unusableCredentials:
        Self.declare(
          503, "The client's key, certificate or assertion cannot be used",
          "Private key, certificate or assertion of the credentials cannot be used, or has expired; no request was sent.",
          "Fix or renew the file that `detail` names, in one step; it is read again with each attempt.")
      case .budgetSpent:
        Self.declare(
          503, "The token budget is spent", "The credentials have used all tokens of their `budget`.",
          "Raise `budget` of the credentials, or see the reasons in the `event=token` lines.")
      case .backingOff:
        Self.declare(
          503, "The next token request has to wait",
          "The last token request failed, and it is too soon for the next; `detail` says how it failed.",
          "See the `event=token` line of that failure; its `error` is the kind to look up here.")
      case .wait:
        Self.declare(
          504, "The token did not arrive in time", "The request waited for a token for `timeouts.token`.",
          "See the `event=token` line that follows, or raise `timeouts.token`.",
          details: "token endpoint: wait timed out"
        )
      }
    }

    // RFC 9209: the other error types are about the next hop, which is not contacted if there is no token.
    private static func declare(
      _ status: Int, _ title: String, _ meaning: String, _ remedy: String, details: String = ""
    ) -> ErrorDeclaration {
      ErrorDeclaration(
        .token, status: status, title: title, details: details,
        meaning: meaning, remedy: remedy)
    }
  }
}

extension ExchangeError {
  /// There is no token.
  static func token(_ failure: TokenFailure) -> ExchangeError {
    let kind = ErrorKind.token(failure.kind)
    return ExchangeError(
      kind, title: ErrorKind.Token(failure.cause.root).declaration.title, detail: failure.detail, hint: failure.hint,
      proxyStatusDetails: "token endpoint: \(failure.cause.label)",
      retryAfter: kind.declaration.status == 503 ? failure.secondsToNextAttempt : nil)
  }

  /// The token did not arrive within the time that a request may wait for it.
  static func tokenTimeout(endpoint: String) -> ExchangeError {
    ExchangeError(
      .token(.wait),
      detail: "\(endpoint) has not responded yet, and the request waited for a token for timeouts.token.",
      hint: "Look at the event=token lines of the log, or raise timeouts.token in proxy.conf.")
  }
}

extension TokenFailure {
  /// The kind of the error that a request without a token gets.
  var kind: ErrorKind.Token { ErrorKind.Token(cause) }
}

extension ErrorKind.Token {
  fileprivate init(_ cause: TokenFailure.Cause) {
    self =
      switch cause {
      case .refused: .refused
      case .malformed: .malformed
      case .redirected: .redirected
      case .serverError: .serverError
      case .throttled: .throttled
      case .nameNotResolved: .nameNotResolved
      case .unreachable: .unreachable
      case .tls: .tls
      case .timedOut: .timedOut
      case .unusable: .unusableCredentials
      case .budgetSpent: .budgetSpent
      case .backingOff: .backingOff
      }
  }
}
