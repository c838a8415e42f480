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
