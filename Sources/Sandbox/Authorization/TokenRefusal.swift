/// Why a token request is refused (RFC 6749 5.2, as Kinde's documentation has the errors).
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
    /// The sandbox itself failed; no code of OAuth's.
    case serverError = "server_error"

    /// The status of the answer.
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
