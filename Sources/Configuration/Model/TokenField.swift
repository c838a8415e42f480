/// The field in which a route's token goes.
public struct TokenField: Sendable, Hashable {
  /// The field's name.
  public var header = "Authorization"
  /// What stands before the token, with a space between; "" for the token alone.
  public var scheme = "Bearer"

  /// `Authorization: Bearer`, as RFC 6750 has it.
  public init() {}

  /// Whether that is the field for credentials that HTTP has (RFC 9110 section 11.6.2).
  public var isAuthorization: Bool { header.lowercased() == "authorization" }
}
