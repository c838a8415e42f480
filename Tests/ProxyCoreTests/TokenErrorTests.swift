import Configuration
import Secrets
import Testing
import Tokens

@testable import ProxyCore

@Suite("What a client and the log get when there is no token")
struct TokenErrorTests {
  private static func grant(
    authentication: ClientAuthenticationMethod = .clientSecretPost, audience: String? = "https://orders.example.com",
    resources: [String] = [], provider: TokenProvider = .kinde
  ) -> TokenGrant {
    let host = provider == .kinde ? "acme.kinde.com" : "id.example.com"
    return TokenGrant(
      key: TokenRequestKey(
        endpoint: "https://\(host)/oauth2/token", clientID: "client-1", authentication: authentication,
        audience: audience, scopes: ["read:orders"], resources: resources),
      clientSecret: Secret("s3cr3t"), credentialsName: provider == .kinde ? "kinde" : "idp", provider: provider)
  }

  private static func error(_ cause: TokenFailure.Cause, grant: TokenGrant = grant()) -> ExchangeError {
    .token(TokenFailure(cause: cause, request: grant.summary, secondsToNextAttempt: 3))
  }

  private static func refused(_ code: OAuthErrorCode, status: Int = 400, description: String? = nil)
    -> TokenFailure.Cause
  {
    .refused(
      OAuthRefusal(
        code: code, reportedCode: code == .other ? nil : code.rawValue, description: description, status: status))
  }

  private static let budget = TokenBudget(tokens: 2, period: .day, stops: true)

  static let causes: [TokenFailure.Cause] =
    OAuthErrorCode.allCases.map { refused($0) }
    + [401, 404, 422].map { refused(.other, status: $0) }
    + [
      .malformed(.empty), .malformed(.expiredToken), .malformed(.unsupportedTokenType), .malformed(.unsuitableToken),
      .malformed(.tokenTooLong), .malformed(.tooLong), .malformed(.unexpectedStatus(204)), .redirected(status: 302),
      .malformed(.undecodable(coding: "br", detail: "x")), .malformed(.undecodable(coding: nil, detail: "x")),
      .malformed(.notHTTP(.http2)), .malformed(.notHTTP(.tls)), .malformed(.notHTTP(.unknown)),
      .serverError(status: 500), .throttled, .nameNotResolved(detail: "x"), .unreachable(detail: "x"),
      .tls(detail: "x"), .timedOut(detail: "x"), .unusable(detail: "x"), .budgetSpent(budget),
      .backingOff(after: .throttled), .backingOff(after: .budgetSpent(budget)),
    ]

  @Test(
    "502 refused or nonsense, 503 unreachable or backing off, 504 timed out; Retry-After with 503",
    arguments: [
      (refused(.invalidClient), 502, nil, "token_refused"), (.malformed(.html), 502, nil, "token_malformed"),
      (.redirected(status: 307), 502, nil, "token_redirected"),
      (.serverError(status: 500), 503, 3, "token_server_error"),
      (.throttled, 503, 3, "token_throttled"), (.nameNotResolved(detail: ""), 503, 3, "token_name_not_resolved"),
      (.unreachable(detail: ""), 503, 3, "token_unreachable"), (.tls(detail: ""), 503, 3, "token_tls"),
      (.timedOut(detail: ""), 504, nil, "token_timed_out"),
      (.unusable(detail: "x"), 503, 3, "token_unusable_credentials"),
      (.budgetSpent(budget), 503, 3, "token_budget_spent"),
      (.backingOff(after: refused(.invalidClient)), 503, 3, "token_backing_off"),
    ] as [(TokenFailure.Cause, Int, Int?, String)])
  func statuses(cause: TokenFailure.Cause, status: Int, retryAfter: Int?, name: String) {
    let error = Self.error(cause)
    #expect(error.status == status)
    #expect(error.retryAfter == retryAfter)
    #expect(error.kind.name == name)
    #expect(error.proxyStatus == "proxy_internal_response")
  }

  @Test("a refusal names the step in Kinde that fixes it")
  func refusal() {
    let error = Self.error(Self.refused(.unauthorizedClient, description: "not for you"))
    #expect(error.title == "The token endpoint refused")
    #expect(error.detail.hasPrefix("acme.kinde.com responded with unauthorized_client"))
    #expect(error.hint == "In Kinde, open the M2M application, tab APIs, and authorise it for this API.")
    #expect(error.proxyStatusDetails == "token endpoint: unauthorized_client")
  }

  @Test("while backing off, title and hint are those of the last failure")
  func backingOff() {
    let error = Self.error(.backingOff(after: Self.refused(.invalidScope)))
    #expect(error.title == "The token endpoint refused")
    #expect(error.hint == Self.error(Self.refused(.invalidScope)).hint)
    #expect(error.proxyStatusDetails == "token endpoint: invalid_scope, next request later")
  }

  @Test(
    "Kinde's refusals name the step that fixes them",
    arguments: [
      (.invalidClient, "credentials.kinde"), (.invalidScope, "define the scopes read:orders on the API"),
      (.invalidRequest, "register an API with the identifier https://orders.example.com"),
      (.unsupportedGrantType, "Machine to Machine"),
    ] as [(OAuthErrorCode, String)])
  func kindeHints(code: OAuthErrorCode, words: String) {
    let hint = Self.error(Self.refused(code)).hint
    #expect(hint.contains(words))
    #expect(hint.contains("Kinde"))
  }

  @Test(
    "a refusal names the lines of proxy.conf that may be wrong",
    arguments: [
      (.invalidClient, "lines 5 and 6"), (.invalidScope, "or correct scopes in route orders, line 15"),
      (.invalidTarget, "correct audience in route orders, line 14"),
      (.unauthorizedClient, "or correct audience in route orders, line 14"),
      (.accessDenied, "or correct audience in route orders, line 14"),
    ] as [(OAuthErrorCode, String)])
  func places(code: OAuthErrorCode, words: String) {
    var places = TokenSettingPlaces()
    places.audience = "audience in route orders, line 14"
    places.scopes = "scopes in route orders, line 15"
    places.clientLines = "lines 5 and 6"
    for provider in [TokenProvider.kinde, .generic] {
      let key = TokenRequestKey(
        endpoint: "https://id.example.com/token", clientID: "id", authentication: .clientSecretPost,
        audience: "https://orders.example.com", scopes: ["read:orders"])
      let grant = TokenGrant(
        key: key, clientSecret: Secret("s3cr3t"), credentialsName: "main", provider: provider, places: places)
      #expect(Self.error(Self.refused(code), grant: grant).hint.contains(words))
    }
  }

  @Test("a missing audience, and the management API's audience with a version, are recognised")
  func audienceHints() {
    let missing = Self.error(Self.refused(.invalidRequest), grant: Self.grant(audience: nil))
    #expect(missing.hint.hasPrefix("Kinde needs an audience"))
    let versioned = Self.error(
      Self.refused(.invalidRequest), grant: Self.grant(audience: "https://acme.kinde.com/api/v1"))
    #expect(versioned.hint.contains("ends in /api"))
  }

  @Test(
    "the hint names the setting to check",
    arguments: [
      (refused(.other, status: 404), "credentials.kinde.domain"), (.malformed(.expiredToken), "clock"),
      (.budgetSpent(budget), "credentials.kinde.budget"),
    ] as [(TokenFailure.Cause, String)])
  func settings(cause: TokenFailure.Cause, words: String) {
    #expect(Self.error(cause).hint.contains(words))
  }

  @Test("errors with other servers do not speak of Kinde", arguments: causes)
  func genericHints(cause: TokenFailure.Cause) {
    let error = Self.error(cause, grant: Self.grant(provider: .generic))
    #expect(!"\(error.title) \(error.detail) \(error.hint)".contains("inde"))
    #expect(error.hint.count > 20)
  }

  @Test("a resource is named where there is no audience")
  func resource() {
    let error = Self.error(
      Self.refused(.invalidTarget),
      grant: Self.grant(audience: nil, resources: ["urn:b", "urn:a"], provider: .generic))
    #expect(error.hint.hasPrefix("Check that id.example.com knows the resource urn:a urn:b"))
  }

  @Test("a client without a secret gets no hint about one")
  func hintsWithoutSecret() {
    let assertion = ClientAssertion(keyFile: "/key.pem", keyID: nil, algorithm: nil, audience: "https://a")
    for (method, words) in [
      (.privateKeyJWT(assertion), "private_key, key_id and client_id"),
      (.tlsClientAuth, "the subject of credentials.kinde.client_certificate"),
    ] as [(ClientAuthenticationMethod, String)] {
      let hint = Self.error(Self.refused(.invalidClient), grant: Self.grant(authentication: method)).hint
      #expect(hint.contains(words) && !hint.contains("client_secret"), "\(hint)")
    }
  }

  @Test("a hint repeats nothing that the server wrote", arguments: OAuthErrorCode.allCases)
  func hintsRepeatNothing(code: OAuthErrorCode) {
    let refusal = OAuthRefusal(code: code, reportedCode: "marker", description: "marker", status: 400)
    for provider in [TokenProvider.kinde, .generic] {
      let error = Self.error(.refused(refusal), grant: Self.grant(provider: provider))
      #expect(error.detail.contains("marker") && !"\(error.title) \(error.hint)".contains("marker"))
    }
  }
}
