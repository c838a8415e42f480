/// A token endpoint's answer that there will be no token (RFC 6749, 5.2).
public struct OAuthRefusal: Hashable, Sendable {
  /// The error code, from a bounded set.
  public let code: OAuthErrorCode
  /// The code as the server wrote it, when it sent one: printable ASCII, shortened.
  public let reportedCode: String?
  /// `error_description`: printable ASCII, shortened, and left out when it repeats the client's secret.
  public let description: String?
  /// The HTTP status of the reply.
  public let status: Int

  /// A refusal made of its parts, which must be fit to be printed.
  public init(code: OAuthErrorCode, reportedCode: String?, description: String?, status: Int) {
    self.code = code
    self.reportedCode = reportedCode
    self.description = description
    self.status = status
  }
}

/// The error codes that token endpoints answer with: RFC 6749 (4.1.2.1, 5.2), RFC 8707, and everything else as one.
public enum OAuthErrorCode: String, Hashable, Sendable, CaseIterable {
  /// A parameter is missing or malformed.
  case invalidRequest = "invalid_request"
  /// The client is unknown or did not authenticate.
  case invalidClient = "invalid_client"
  /// The grant is not valid.
  case invalidGrant = "invalid_grant"
  /// The client may not use this grant, or at Kinde: is not authorised for the audience.
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

  /// The code that a server reports, in whatever case, or one that it uses in its place.
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

/// What is wrong with a token endpoint's reply. Nothing of the reply itself: it may hold a token.
public enum MalformedReply: Hashable, Sendable {
  /// A status that means success, and no body.
  case empty
  /// More than ``TokenHTTPResponse/longestBody``.
  case tooLong
  /// A page instead of JSON: most likely not a token endpoint.
  case html
  /// Neither JSON nor HTML; JSON that ends early too.
  case notJSON
  /// JSON, but no object.
  case notAnObject
  /// An object that has a member twice.
  case repeatedMember
  /// Content in the coding that Content-Encoding names, which cannot be decoded, or not as a whole, with the reason.
  case undecodable(coding: String?, detail: String)
  /// Something that is not HTTP/1.
  case notHTTP(Foreign)
  /// No `access_token` that is a string with something in it.
  case noToken
  /// A token longer than ``AccessToken/longestToken`` bytes.
  case tokenTooLong
  /// A token with bytes that do not belong in a header field: spaces, control bytes, anything beyond ASCII.
  case unsuitableToken
  /// A `token_type` other than Bearer (RFC 6750).
  case unsupportedTokenType
  /// A token that was no longer valid when it arrived.
  case expiredToken
  /// An interim status.
  case unexpectedStatus(Int)

  /// What a server speaks that does not answer with HTTP/1.
  public enum Foreign: Hashable, Sendable {
    /// HTTP/2 without TLS.
    case http2
    /// TLS, where the URL begins with `http:`, or in plain text that it wants TLS.
    case tls
    /// Something else.
    case unknown
  }

  /// Whether asking once more, at once, may bring a better reply. Not so where the server meant what it said:
  /// every token is billed.
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

/// Makes words from outside fit for logs, problem bodies and header fields.
enum PrintableText {
  private static let longest = 200

  /// `text` as printable ASCII without `"` and `\` (the characters of RFC 6749, 5.2), about 200 of them at most. Runs of
  /// anything else become one space; spaces at either end, and full stops at the end, are dropped.
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
