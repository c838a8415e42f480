/// A machine-to-machine application as it is set up in Kinde (steps 1, 3 and 4 of the quick start).
public struct Application: Sendable {
  /// Which API an authorisation is for.
  public enum API: Sendable, Hashable {
    /// The management API, whatever its audience is.
    case management
    /// The registered API of this audience.
    case registered(String)
  }

  /// What it calls itself.
  public let clientID: String
  /// What proves that it is the one.
  public let clientSecret: String
  /// The APIs it is authorised for, each with the scopes that are assigned to it there.
  public let authorizations: [API: [String]]
  /// The organisation it is confined to, which its tokens then name as `org_code`.
  public let organization: String?

  /// An application of these parts.
  public init(
    clientID: String, clientSecret: String, authorizations: [API: [String]], organization: String? = nil
  ) {
    self.clientID = clientID
    self.clientSecret = clientSecret
    self.authorizations = authorizations
    self.organization = organization
  }
}
