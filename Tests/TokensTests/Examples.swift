import Foundation
import Secrets
import Tokens

extension TokenGrant {
  static let exampleSecret = "s3cr3t+/ %&"

  static func example(
    endpoint: String = "https://acme.kinde.com/oauth2/token", clientID: String = "client-1",
    authentication: ClientAuthenticationMethod = .clientSecretPost, secret: String = exampleSecret,
    audience: String? = "https://orders.example.com", scopes: [String] = ["read:orders"], resources: [String] = [],
    parameters: [String: String] = [:], headers: [String: Secret] = [:], credentials: String = "kinde",
    provider: TokenProvider = .kinde, takesAnyTokenType: Bool = false
  ) -> TokenGrant {
    TokenGrant(
      key: TokenRequestKey(
        endpoint: endpoint, clientID: clientID, authentication: authentication, audience: audience, scopes: scopes,
        resources: resources, parameters: parameters, headers: headers),
      clientSecret: Secret(secret), takesAnyTokenType: takesAnyTokenType, credentialsName: credentials,
      provider: provider)
  }

  /// A request made at a moment of no importance.
  func request(timeout: Duration = TokenHTTPRequest.longestWait) throws -> TokenHTTPRequest {
    try request(timeout: timeout, wallSeconds: 1_800_000_000)
  }
}

extension TokenHTTPResponse {
  static func json(
    _ body: String, status: Int = 200, retryAfter: String? = nil, rateLimitReset: String? = nil, date: String? = nil,
    bodyWasCut: Bool = false
  ) -> TokenHTTPResponse {
    TokenHTTPResponse(
      status: status, contentType: "application/json", retryAfter: retryAfter, rateLimitReset: rateLimitReset,
      date: date, body: Array(body.utf8), bodyWasCut: bodyWasCut)
  }

  static func token(_ token: String = "opaque-token", expiresIn: Int = 3600) -> TokenHTTPResponse {
    json(#"{"access_token": "\#(token)", "token_type": "Bearer", "expires_in": \#(expiresIn)}"#)
  }

  static func refusal(_ code: String, status: Int = 400) -> TokenHTTPResponse {
    json(#"{"error": "\#(code)"}"#, status: status)
  }
}

extension Secret {
  var text: String {
    withBytes { bytes in String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self) }
  }
}

extension AccessToken {
  var text: String {
    withToken { bytes in String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self) }
  }
}

extension TokenHTTPRequest {
  func field(_ name: String) -> String? {
    fields.first { $0.name == name }.map { field in
      switch field.value {
      case .text(let text): text
      case .secret(let secret): secret.text
      }
    }
  }
}

extension Result {
  var success: Success? { try? get() }

  var failure: Failure? {
    guard case .failure(let failure) = self else { return nil }
    return failure
  }
}

/// An unsigned JWT with these claims.
func webToken(_ claims: String) -> String {
  func part(_ text: String) -> String {
    Data(text.utf8).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
  }
  return "\(part(#"{"alg":"RS256","typ":"JWT"}"#)).\(part(claims)).c2lnbmF0dXJl"
}

extension TokenPlace {
  /// A place of no importance.
  static let example = TokenPlace(0)

  /// One of many places.
  init(_ number: Int) {
    self.init(route: number, method: "GET".utf8Span.span, path: "/".utf8Span.span)
  }
}
