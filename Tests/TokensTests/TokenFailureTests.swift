import Testing
import Tokens

@Suite("What a failure tells")
struct TokenFailureTests {
  private static func failure(
    _ cause: TokenFailure.Cause, grant: TokenGrant = .example(), seconds: Int = 3
  ) -> TokenFailure {
    TokenFailure(cause: cause, request: grant.summary, secondsToNextAttempt: seconds)
  }

  private static func refused(_ code: OAuthErrorCode, status: Int = 400, description: String? = nil)
    -> TokenFailure.Cause
  {
    .refused(
      OAuthRefusal(
        code: code, reportedCode: code == .other ? nil : code.rawValue, description: description, status: status))
  }

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
      (.backingOff(after: refused(.invalidClient)), 503, 3, "token_backing_off"),
    ] as [(TokenFailure.Cause, Int, Int?, String)])
  func statuses(cause: TokenFailure.Cause, status: Int, retryAfter: Int?, label: String) {
    let failure = Self.failure(cause)
    #expect(failure.status == status)
    #expect(failure.retryAfter == retryAfter)
    #expect(failure.metricLabel == label)
    #expect(failure.proxyStatusError == "proxy_internal_response")
    #expect(
      !failure.title.isEmpty && !failure.hint.isEmpty && failure.detail.hasPrefix("The")
        || failure.detail.contains("acme.kinde.com"))
  }

  @Test("the sketch of a refusal: who answered what for which audience, and the step in Kinde that fixes it")
  func sketch() {
    let failure = Self.failure(Self.refused(.unauthorizedClient, description: "not for you"))
    #expect(failure.title == "The token endpoint refused")
    #expect(
      failure.detail
        == "acme.kinde.com answered unauthorized_client for the audience https://orders.example.com. "
        + "It says: \"not for you\"")
    #expect(failure.hint == "In Kinde, open the M2M application, tab APIs, and authorise it for this API.")
    #expect(failure.proxyStatusDetails == "token endpoint: unauthorized_client")
  }

  @Test("while backing off, the last failure is told, and when the next attempt is due")
  func backingOff() {
    let failure = Self.failure(.backingOff(after: Self.refused(.invalidScope)), seconds: 12)
    #expect(failure.title == "The token endpoint refused")
    #expect(
      failure.detail
        == "acme.kinde.com answered invalid_scope for the audience https://orders.example.com. "
        + "It is asked again in 12 s.")
    #expect(failure.hint == Self.failure(Self.refused(.invalidScope)).hint)
    #expect(failure.proxyStatusDetails == "token endpoint: invalid_scope, not asked again yet")
  }

  @Test(
    "Kinde's refusals name the step that fixes them",
    arguments: [
      (.invalidClient, "credentials.kinde"), (.invalidScope, "define the scopes read:orders on the API"),
      (.invalidRequest, "register an API with the identifier https://orders.example.com"),
      (.unsupportedGrantType, "Machine to Machine"),
    ] as [(OAuthErrorCode, String)])
  func kindeHints(code: OAuthErrorCode, words: String) {
    let hint = Self.failure(Self.refused(code)).hint
    #expect(hint.contains(words))
    #expect(hint.contains("Kinde"))
  }

  @Test("a missing audience, and the management API's audience with a version, are recognised")
  func audienceHints() {
    let missing = Self.failure(Self.refused(.invalidRequest), grant: .example(audience: nil))
    #expect(missing.hint.hasPrefix("Kinde needs an audience"))
    #expect(!missing.detail.contains("audience"))
    let versioned = Self.failure(
      Self.refused(.invalidRequest), grant: .example(audience: "https://acme.kinde.com/api/v1"))
    #expect(versioned.hint.contains("ends in /api"))
  }

  @Test("a status without an OAuth error is told, with what it most likely means")
  func withoutCode() {
    let failure = Self.failure(Self.refused(.other, status: 404))
    #expect(failure.detail.hasPrefix("acme.kinde.com answered with status 404 and no OAuth error"))
    #expect(failure.hint.contains("credentials.kinde.domain"))
    #expect(failure.proxyStatusDetails == "token endpoint: refused with status 404")
  }

  @Test("hints for other servers do not speak of Kinde", arguments: causes)
  func genericHints(cause: TokenFailure.Cause) {
    let grant = TokenGrant.example(endpoint: "https://id.example.com/token", credentials: "idp", provider: .generic)
    let failure = Self.failure(cause, grant: grant)
    #expect(!"\(failure.title) \(failure.detail) \(failure.hint)".contains("inde"))
    #expect(!failure.hint.isEmpty)
  }

  @Test("a resource is named where there is no audience")
  func resource() {
    let failure = Self.failure(
      Self.refused(.invalidTarget),
      grant: .example(audience: nil, resources: ["urn:b", "urn:a"], provider: .generic))
    #expect(failure.detail == "acme.kinde.com answered invalid_target for the resource urn:a urn:b.")
    #expect(failure.hint.hasPrefix("Check that acme.kinde.com knows the resource urn:a urn:b"))
  }

  @Test("a client without a secret is not told to look at one")
  func hintsWithoutSecret() {
    let assertion = ClientAssertion(keyFile: "/key.pem", keyID: nil, algorithm: nil, audience: "https://a")
    for (method, words) in [
      (.privateKeyJWT(assertion), "private_key, key_id and client_id"),
      (.tlsClientAuth, "the subject of credentials.kinde.client_certificate"),
    ] as [(ClientAuthenticationMethod, String)] {
      let hint = Self.failure(Self.refused(.invalidClient), grant: .example(authentication: method)).hint
      #expect(hint.contains(words) && !hint.contains("client_secret"), "\(hint)")
    }
  }

  @Test("details for Proxy-Status fit into a quoted string", arguments: causes)
  func proxyStatusDetails(cause: TokenFailure.Cause) {
    let details = Self.failure(cause).proxyStatusDetails
    #expect(
      details.utf8.allSatisfy { (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") })
  }

  private static let causes: [TokenFailure.Cause] =
    OAuthErrorCode.allCases.map { refused($0) }
    + [401, 404, 422].map { refused(.other, status: $0) }
    + [
      .malformed(.empty), .malformed(.expiredToken), .malformed(.unsupportedTokenType), .malformed(.unsuitableToken),
      .malformed(.tokenTooLong), .malformed(.tooLong), .malformed(.unexpectedStatus(204)), .redirected(status: 302),
      .serverError(status: 500), .throttled, .nameNotResolved(detail: "x"), .unreachable(detail: "x"),
      .tls(detail: "x"),
      .timedOut(detail: "x"), .unusable(detail: "x"), .backingOff(after: .throttled),
    ]
}
