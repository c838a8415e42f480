/// A token endpoint's reply that rejects the token request (RFC 6749 section 5.2).
public struct OAuthRefusal: Hashable, Sendable {
  /// The error code, from a bounded set.
  public let code: OAuthErrorCode
  /// The code as the server wrote it, when it sent one: printable ASCII, shortened.
  public let reportedCode: String?
  /// `error_description`: printable ASCII, shortened, and left out when it repeats the client's secret.
  public let description: String?
  /// The HTTP status of the reply.
  public let status: Int

  /// A refusal made of its parts, which must be printable.
  public init(code: OAuthErrorCode, reportedCode: String?, description: String?, status: Int) {
    self.code = code
    self.reportedCode = reportedCode
    self.description = description
    self.status = status
  }
}

/// The error codes of token endpoints: RFC 6749 sections 4.1.2.1 and 5.2, RFC 8707, and one for everything else.
public enum OAuthErrorCode: String, Hashable, Sendable, CaseIterable {
  /// A parameter is missing or malformed.
  case invalidRequest = "invalid_request"
  /// The client is unknown or did not authenticate.
  case invalidClient = "invalid_client"
  /// The grant is not valid.
  case invalidGrant = "invalid_grant"
  /// The client may not use this grant; at Kinde: is not authorised for the audience.
  case unauthorizedClient = "unauthorized_client"
  /// The server does not know the grant type.
  case unsupportedGrantType = "unsupported_grant_type"
  /// A scope is unknown, or not assigned to the client.
  case invalidScope = "invalid_scope"
  /// The resource or audience is unknown (RFC 8707).
  case invalidTarget = "invalid_target"
  /// The client may not have a token for this audience (Auth0 says so).
  case accessDenied = "access_denied"
  /// The server failed.
  case serverError = "server_error"
  /// The server is overloaded or in maintenance.
  case temporarilyUnavailable = "temporarily_unavailable"
  /// A code not listed here, or none.
  case other

  /// The code that a server reports, in upper or lower case, or the standard code for one that it uses instead.
  init(_ reported: String) {
    let code = reported.lowercased()
    self =
      switch code {
      // Salesforce.
      case "invalid_client_id", "invalid_client_credentials": .invalidClient
      // Entra ID, Ory and others, from before RFC 8707.
      case "invalid_audience", "invalid_resource": .invalidTarget
      default: OAuthErrorCode(rawValue: code) ?? .other
      }
  }

  /// Whether the same request will be rejected until the configuration or the server changes.
  var needsOperator: Bool {
    switch self {
    case .serverError, .temporarilyUnavailable, .other: false
    default: true
    }
  }
}

/// What is wrong with a token endpoint's reply. Holds no part of the reply itself, which may contain a token.
public enum MalformedReply: Hashable, Sendable {
  /// A success status without a body.
  case empty
  /// A body longer than ``TokenHTTPResponse/longestBody``.
  case tooLong
  /// A page instead of JSON: most likely not a token endpoint.
  case html
  /// Neither JSON nor HTML, or JSON that ends early.
  case notJSON
  /// JSON, but not an object.
  case notAnObject
  /// An object with the same member twice.
  case repeatedMember
  /// A body that cannot be decoded, or not completely, with the coding that Content-Encoding names, and the reason.
  case undecodable(coding: String?, detail: String)
  /// Something that is not HTTP/1.
  case notHTTP(Foreign)
  /// No `access_token` that is a non-empty string.
  case noToken
  /// A token longer than ``AccessToken/longestToken`` bytes.
  case tokenTooLong
  /// A token with bytes that do not belong in a header field: spaces, control characters, anything beyond ASCII.
  case unsuitableToken
  /// A `token_type` other than Bearer (RFC 6750).
  case unsupportedTokenType
  /// A token that was no longer valid when it arrived.
  case expiredToken
  /// An interim status.
  case unexpectedStatus(Int)

  /// What a server speaks if it does not reply with HTTP/1.
  public enum Foreign: Hashable, Sendable {
    /// HTTP/2 without TLS.
    case http2
    /// TLS on an `http:` URL, or plain text that says that it wants TLS.
    case tls
    /// Something else.
    case unknown
  }

  /// Whether a retry at once may bring a better reply. False if the server meant what it said: every token is billed.
  var mayBePassing: Bool {
    switch self {
    case .empty, .html, .notJSON, .notAnObject, .repeatedMember, .noToken, .notHTTP(.unknown): true
    case .undecodable, .notHTTP, .tooLong, .tokenTooLong, .unsuitableToken, .unsupportedTokenType, .expiredToken,
      .unexpectedStatus:
      false
    }
  }

  /// Whether the server has most likely issued a token, and counts it.
  var meansThatOneWasIssued: Bool {
    switch self {
    case .tooLong, .notJSON, .repeatedMember, .tokenTooLong, .unsuitableToken, .unsupportedTokenType, .expiredToken,
      .undecodable:
      true
    case .empty, .html, .notAnObject, .noToken, .unexpectedStatus, .notHTTP: false
    }
  }
}

/// Makes text from outside fit for logs, problem bodies and header fields.
enum PrintableText {
  private static let longest = 200

  /// `text` as printable ASCII without `"` and `\` (the characters of RFC 6749 section 5.2), about 200 of them at most.
  /// Runs of other bytes become one space; spaces at either end, and full stops at the end, are dropped.
  static func cleaned(_ text: some Sequence<UInt8>) -> String {
    var cleaned = ""
    var pendingSpace = false
    for byte in text {
      switch byte {
      case 0x21, 0x23...0x5B, 0x5D...0x7E:
        if pendingSpace, !cleaned.isEmpty { cleaned.append(" ") }
        pendingSpace = false
        cleaned.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        pendingSpace = true
      }
      if cleaned.utf8.count >= longest { break }
    }
    while cleaned.last == "." || cleaned.last == " " { cleaned.removeLast() }
    return cleaned
  }

  static func cleaned(_ text: String) -> String { cleaned(text.utf8) }
}
