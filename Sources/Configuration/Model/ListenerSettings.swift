public import Addresses

/// An address to listen on, and who may use it.
public struct ListenerSettings: Sendable, Hashable {
  /// The address and port.
  public var address: ListenAddress
  /// The clients that are served; nil for everybody who reaches it.
  public var allow: [IPNetwork]?

  /// Settings of these parts.
  public init(address: ListenAddress, allow: [IPNetwork]? = nil) {
    self.address = address
    self.allow = allow
  }
}
