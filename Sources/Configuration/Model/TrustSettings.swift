/// Whom the certificates of upstreams and token endpoints are verified against.
public struct TrustSettings: Sendable, Hashable {
  /// A PEM file of certificate authorities trusted instead of the system's; nil for the system's.
  public var caFile: String?

  /// Trust in what `caFile` contains, or in the system's authorities.
  public init(caFile: String? = nil) {
    self.caFile = caFile
  }
}
