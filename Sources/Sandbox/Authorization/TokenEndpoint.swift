internal import Cryptography
internal import Encodings
internal import HTTPService

/// `POST /oauth2/token`: the client credentials grant (RFC 6749 section 4.4) as in Kinde's documentation.
struct TokenEndpoint: Sendable {
  let registry: Registry
  let mint: TokenMint
  /// The result of every request, if it is forced.
  let failure: ForcedFailure?

  /// The body of a 200 response (RFC 6749 section 5.1).
  private struct Grant: Encodable {
    let accessToken: String
    let expiresIn: Int
    let tokenType: String

    enum CodingKeys: String, CodingKey {
      case accessToken = "access_token"
      case expiresIn = "expires_in"
      case tokenType = "token_type"
    }
  }

  // RFC 6749 section 5.1: no cache may store a token.
  private static let notStored = [ServiceField("Cache-Control", "no-store"), ServiceField("Pragma", "no-cache")]

  /// - Parameter now: seconds since 1970.
  func answer(_ request: ServiceRequest, now: Int) -> ServiceResponse {
    guard request.method == "POST" else { return .methodNotAllowed(allowed: ["POST"]) }
    if let failure { return answer(to: failure) }
    do throws(TokenRefusal) {
      let token = try issue(request, now: now)
      let grant = Grant(accessToken: token, expiresIn: mint.lifetime, tokenType: "Bearer")
      return .json(200, grant, fields: Self.notStored)
    } catch {
      return answer(to: error, usedBasic: !request.values(of: "authorization").isEmpty)
    }
  }

  private func issue(_ request: ServiceRequest, now: Int) throws(TokenRefusal) -> String {
    let form = try self.form(of: request)
    guard form["grant_type"] == "client_credentials" else {
      throw TokenRefusal(.invalidRequest, "grant_type is not client_credentials")
    }
    let application = try registry.application(ClientCredentials(of: request, form))
    guard let audience = form["audience"] else { throw TokenRefusal(.invalidRequest, "audience is missing") }
    let requested = form["scope"].map { $0.split(separator: " ").map(String.init) }
    let granted = try registry.authorize(application, audience: audience, scopes: requested)
    return try token(application, audience, granted, requested: requested ?? [], now)
  }

  private func token(
    _ application: Application, _ audience: String, _ scopes: [String], requested: [String], _ now: Int
  ) throws(TokenRefusal) -> String {
    do {
      return try mint.issue(to: application, audience: audience, scopes: scopes, requested: requested, now: now)
    } catch {
      throw TokenRefusal(.serverError, "the token could not be signed: \(error)")
    }
  }

  private func form(of request: ServiceRequest) throws(TokenRefusal) -> Form {
    let type = request.values(of: "content-type").first ?? "nothing"
    let mediaType = type.split(separator: ";", omittingEmptySubsequences: false)[0].filter { $0 != " " && $0 != "\t" }
    guard mediaType.lowercased() == "application/x-www-form-urlencoded" else {
      throw TokenRefusal(.invalidRequest, "the content type is \(type), not application/x-www-form-urlencoded")
    }
    do {
      return try Form(request.body)
    } catch {
      throw TokenRefusal(.invalidRequest, error.description)
    }
  }

  private func answer(to refusal: TokenRefusal, usedBasic: Bool) -> ServiceResponse {
    // RFC 6749 section 5.2: a client that used the Authorization field gets a challenge.
    let challenge = [ServiceField("WWW-Authenticate", #"Basic realm="sandbox", charset="UTF-8""#)]
    let isChallenged = refusal.code == .invalidClient && usedBasic
    return .error(
      refusal.code.status, refusal.code.rawValue, refusal.description,
      fields: (isChallenged ? challenge : []) + Self.notStored)
  }

  private func answer(to failure: ForcedFailure) -> ServiceResponse {
    let reason = "the sandbox was started with --fail \(failure.rawValue)"
    switch failure {
    case .invalidClient: return answer(to: TokenRefusal(.invalidClient, reason), usedBasic: false)
    case .unauthorizedClient: return answer(to: TokenRefusal(.unauthorizedClient, reason), usedBasic: false)
    case .invalidScope: return answer(to: TokenRefusal(.invalidScope, reason), usedBasic: false)
    case .invalidRequest: return answer(to: TokenRefusal(.invalidRequest, reason), usedBasic: false)
    case .rateLimited:
      return .error(429, "too_many_requests", reason, fields: [ServiceField("RateLimit-Reset", "5")])
    case .serverError:
      let page = "<!doctype html><title>Error</title><h1>Something went wrong</h1>\n"
      return ServiceResponse(status: 500, type: "text/html; charset=utf-8", body: Array(page.utf8))
    }
  }
}

/// How a client authenticates (RFC 6749 section 2.3.1).
struct ClientCredentials: Equatable {
  let clientID: String
  let clientSecret: String
  /// Whether they came in the Authorization field.
  let isBasic: Bool

  /// The credentials in `request`, whose body is `form`.
  init(of request: ServiceRequest, _ form: Form) throws(TokenRefusal) {
    let authorization = request.values(of: "authorization")
    guard authorization.count <= 1 else {
      throw TokenRefusal(.invalidRequest, "there is more than one Authorization field")
    }
    if let value = authorization.first {
      guard form["client_secret"] == nil else {
        throw TokenRefusal(.invalidRequest, "the client uses two ways to authenticate at once")
      }
      guard let (name, secret) = Self.basic(value) else {
        throw TokenRefusal(.invalidClient, "the Authorization field has no valid Basic credentials")
      }
      guard form["client_id"] == nil || form["client_id"] == name else {
        throw TokenRefusal(.invalidRequest, "client_id differs from the one in the Authorization field")
      }
      (clientID, clientSecret, isBasic) = (name, secret, true)
    } else {
      guard let name = form["client_id"], let secret = form["client_secret"] else {
        throw TokenRefusal(.invalidClient, "client_id or client_secret is missing")
      }
      (clientID, clientSecret, isBasic) = (name, secret, false)
    }
  }

  /// Name and password of RFC 7617, each in the form encoding that RFC 6749 requires.
  private static func basic(_ value: String) -> (String, String)? {
    let parts = value.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, parts[0].lowercased() == "basic" else { return nil }
    let encoded = parts[1].map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 }
    let unpadded = String(encoded).split(separator: "=", omittingEmptySubsequences: true)
    guard unpadded.count == 1, let bytes = Base64.url.decode(unpadded[0]),
      let colon = bytes.firstIndex(of: UInt8(ascii: ":"))
    else { return nil }
    do {
      return (try Form.decode(bytes[..<colon]), try Form.decode(bytes[(colon + 1)...]))
    } catch {
      return nil
    }
  }
}

/// Why a token request is refused (RFC 6749 section 5.2, with the errors of Kinde's documentation).
struct TokenRefusal: Error, Equatable {
  /// The value of `error`.
  enum Code: String {
    /// The client is unknown, or the secret wrong.
    case invalidClient = "invalid_client"
    /// The application is not authorised for the audience.
    case unauthorizedClient = "unauthorized_client"
    /// The scope is not defined on the API, or not assigned to the application.
    case invalidScope = "invalid_scope"
    /// A parameter is missing or wrong.
    case invalidRequest = "invalid_request"
    /// The sandbox itself failed; this is not an OAuth code.
    case serverError = "server_error"

    /// The status of the response.
    var status: Int {
      switch self {
      case .invalidClient: 401
      case .unauthorizedClient, .invalidScope, .invalidRequest: 400
      case .serverError: 500
      }
    }
  }

  /// The value of `error`.
  let code: Code
  /// The value of `error_description`.
  let description: String

  init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }
}
