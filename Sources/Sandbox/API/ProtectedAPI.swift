internal import HTTPService

/// The API that wants a token, and says in RFC 6750's words what is wrong with the one it gets.
struct ProtectedAPI: Sendable {
  let registry: Registry
  let mint: TokenMint
  let journal: Journal

  /// - Parameter now: seconds since 1970.
  func answer(_ request: ServiceRequest, now: Int) -> ServiceResponse {
    switch request.path {
    case "/sandbox/stats": return .reading(request) { .json(200, journal.counters) }
    case "/sandbox/received": return .reading(request) { .text(200, String(journal.lastRequest.dropLast())) }
    default: break
    }
    let token = BearerToken(of: request, mint, now: now)
    let answer = self.answer(request, token)
    journal.noteAPIRequest(request, token: token, isRefused: answer.status == 401 || answer.status == 403)
    return answer
  }

  private func answer(_ request: ServiceRequest, _ token: BearerToken) -> ServiceResponse {
    if request.path == "/echo" || request.path.hasPrefix("/echo/") { return .json(200, Echo(request, token)) }
    guard let resource = Resource(path: request.path, registry) else {
      return .error(404, "not_found", "there are /v1/orders, /v1/orders/{id}, /api/v1/organizations and /echo")
    }
    guard let scope = resource.scopes[request.method] else {
      return .methodNotAllowed(allowed: resource.scopes.keys.sorted())
    }
    do throws(BearerRefusal) {
      try check(token, audience: resource.audience, scope: scope)
    } catch {
      return error.response
    }
    return resource.answer(request)
  }

  private func check(_ token: BearerToken, audience: String, scope: String) throws(BearerRefusal) {
    switch token {
    case .missing: throw .missing
    case .repeated: throw .repeated
    case .invalid(let fault): throw .invalid(fault)
    case .valid(let claims, _):
      guard claims.aud.contains(audience) else { throw .invalid(.otherAudience(claims.aud, expected: audience)) }
      guard claims.scp.contains(scope) else { throw .insufficientScope(scope) }
    }
  }
}
