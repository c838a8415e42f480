import Testing
import Tokens

@Suite("What a failure shows")
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

  @Test("a refusal names the server, its error and the audience")
  func refusal() {
    let failure = Self.failure(Self.refused(.unauthorizedClient, description: "not for you"))
    #expect(
      failure.detail
        == "acme.kinde.com responded with unauthorized_client for the audience https://orders.example.com. "
        + "It says: \"not for you\"")
    #expect(failure.cause.label == "unauthorized_client")
  }

  @Test("while backing off, the last failure is shown, with the time of the next attempt")
  func backingOff() {
    let failure = Self.failure(.backingOff(after: Self.refused(.invalidScope)), seconds: 12)
    #expect(
      failure.detail
        == "acme.kinde.com responded with invalid_scope for the audience https://orders.example.com. "
        + "The next attempt is in 12 s.")
    #expect(failure.cause.label == "invalid_scope, next request later")
  }

  @Test("a status without an OAuth error is shown")
  func withoutCode() {
    let failure = Self.failure(Self.refused(.other, status: 404))
    #expect(failure.detail.hasPrefix("acme.kinde.com responded with status 404 and no OAuth error"))
    #expect(failure.cause.label == "refused with status 404")
  }

  @Test("a resource is named where there is no audience, and nothing where there is neither")
  func purpose() {
    let failure = Self.failure(
      Self.refused(.invalidTarget),
      grant: .example(audience: nil, resources: ["urn:b", "urn:a"], provider: .generic))
    #expect(failure.detail == "acme.kinde.com responded with invalid_target for the resource urn:a urn:b.")
    #expect(!Self.failure(Self.refused(.invalidRequest), grant: .example(audience: nil)).detail.contains("audience"))
  }

  @Test("a label fits into a quoted string, and the detail names the server", arguments: causes)
  func labels(cause: TokenFailure.Cause) {
    let failure = Self.failure(cause)
    #expect(
      failure.cause.label.utf8.allSatisfy {
        (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
      })
    #expect(failure.detail.contains("acme.kinde.com"))
  }

  private static let causes: [TokenFailure.Cause] =
    OAuthErrorCode.allCases.map { refused($0) }
    + [401, 404, 422].map { refused(.other, status: $0) }
    + [
      .malformed(.empty), .malformed(.expiredToken), .malformed(.unsupportedTokenType), .malformed(.unsuitableToken),
      .malformed(.tokenTooLong), .malformed(.tooLong), .malformed(.unexpectedStatus(204)), .redirected(status: 302),
      .malformed(.undecodable(coding: "br", detail: "x")), .malformed(.undecodable(coding: nil, detail: "x")),
      .malformed(.notHTTP(.http2)), .malformed(.notHTTP(.tls)), .malformed(.notHTTP(.unknown)),
      .serverError(status: 500), .throttled, .nameNotResolved(detail: "x"), .unreachable(detail: "x"),
      .tls(detail: "x"),
      .timedOut(detail: "x"), .unusable(detail: "x"), .backingOff(after: .throttled),
    ]
}
