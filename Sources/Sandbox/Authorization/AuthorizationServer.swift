internal import HTTPService

/// What answers at the address of the authorization server.
struct AuthorizationServer: Sendable {
  let tokens: TokenEndpoint
  let api: ProtectedAPI
  let journal: Journal

  private struct Metadata: Encodable {
    let issuer: String
    let grantTypes = ["client_credentials"]
    let authenticationMethods = ["client_secret_post", "client_secret_basic"]

    enum CodingKeys: String, CodingKey {
      case issuer
      case tokenEndpoint = "token_endpoint"
      case keys = "jwks_uri"
      case grantTypes = "grant_types_supported"
      case authenticationMethods = "token_endpoint_auth_methods_supported"
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(issuer, forKey: .issuer)
      try container.encode(issuer + "/oauth2/token", forKey: .tokenEndpoint)
      try container.encode(issuer + "/.well-known/jwks.json", forKey: .keys)
      try container.encode(grantTypes, forKey: .grantTypes)
      try container.encode(authenticationMethods, forKey: .authenticationMethods)
    }
  }

  /// - Parameter now: seconds since 1970.
  func answer(_ request: ServiceRequest, now: Int) -> ServiceResponse {
    switch request.path {
    case "/oauth2/token":
      let answer = tokens.answer(request, now: now)
      journal.noteTokenRequest(isIssued: answer.status == 200)
      return answer
    // Kinde's own has no suffix.
    case "/.well-known/jwks.json", "/.well-known/jwks":
      return .reading(request) { .json(200, JSONWebKeySet(tokens.mint.key)) }
    case "/.well-known/openid-configuration":
      return .reading(request) { .json(200, Metadata(issuer: tokens.mint.issuer)) }
    // The management API is at the same host as the token endpoint; the sandbox's own pages are everywhere.
    default: return api.answer(request, now: now)
    }
  }
}

extension ServiceResponse {
  /// What `answer` gives, if `request` reads.
  static func reading(_ request: ServiceRequest, _ answer: () -> ServiceResponse) -> ServiceResponse {
    request.method == "GET" || request.method == "HEAD" ? answer() : .methodNotAllowed(allowed: ["GET", "HEAD"])
  }
}
