internal import HTTPService

/// What the API received, for whoever wants to see what the proxy makes of a request.
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
