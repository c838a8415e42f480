/// A machine-to-machine application as it is set up in Kinde (steps 1, 3 and 4 of the quick start).
public struct Application: Sendable {
  /// What it calls itself.
  public let clientID: String
  /// What proves that it is the one.
  public let clientSecret: String
  /// The audiences it is authorised for, each with the scopes that are assigned to it there.
  public let authorizations: [String: [String]]
  /// The organisation it is confined to, which its tokens then name as `org_code`.
  public let organization: String?

  /// An application of these parts.
  public init(
    clientID: String, clientSecret: String, authorizations: [String: [String]], organization: String? = nil
  ) {
    self.clientID = clientID
    self.clientSecret = clientSecret
    self.authorizations = authorizations
    self.organization = organization
  }
}
