internal import FoundationEssentials
internal import HTTPService

/// The API that requires a token, and explains in the terms of RFC 6750 what is wrong with the one it gets.
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
      return .error(404, "not_found", "the resources are /v1/orders, /v1/orders/{id}, /api/v1/organizations and /echo")
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
      guard claims.scope.split(separator: " ").contains(scope[...]) else { throw .insufficientScope(scope) }
    }
  }
}

/// What the API received; it shows how the proxy changes a request.
struct Echo: Encodable {
  private struct Field: Encodable {
    let name: String
    let value: String
  }

  private struct Token: Encodable {
    let valid: Bool
    var aud: [String]?
    var scope: String?
    var expiresIn: Int?
    var problem: String?

    enum CodingKeys: String, CodingKey {
      case valid, aud, scope, problem
      case expiresIn = "expires_in"
    }
  }

  private let method: String
  private let target: String
  private let fields: [Field]
  private let bodyLength: Int
  private let token: Token?

  private enum CodingKeys: String, CodingKey {
    case method, target, fields, token
    case bodyLength = "body_length"
  }

  init(_ request: ServiceRequest, _ token: BearerToken) {
    method = request.method
    target = request.target
    fields = request.fields.map { Field(name: $0.name, value: $0.value) }
    bodyLength = request.body.count
    self.token =
      switch token {
      case .missing: nil
      case .repeated: Token(valid: false, problem: "there is more than one Authorization field")
      case .invalid(let fault): Token(valid: false, problem: fault.description)
      case .valid(let claims, let seconds):
        Token(valid: true, aud: claims.aud, scope: claims.scope, expiresIn: seconds)
      }
  }
}

extension ServiceResponse {
  /// A response with `value` as JSON.
  static func json(_ status: Int, _ value: some Encodable, fields: [ServiceField] = []) -> ServiceResponse {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      let body = Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
      return ServiceResponse(status: status, type: "application/json", fields: fields, body: body)
    } catch {
      return .text(500, "The response could not be encoded: \(error)")
    }
  }

  /// A response with OAuth's `error` and `error_description`.
  static func error(
    _ status: Int, _ code: String, _ description: String, fields: [ServiceField] = []
  ) -> ServiceResponse {
    struct Content: Encodable {
      let error: String
      let description: String

      enum CodingKeys: String, CodingKey {
        case error
        case description = "error_description"
      }
    }
    return .json(status, Content(error: code, description: description), fields: fields)
  }
}
