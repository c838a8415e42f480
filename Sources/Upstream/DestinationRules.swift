public import Addresses

/// Which addresses a connection may be made to, whatever names lead there.
public struct DestinationRules: Hashable, Sendable {
  /// Whether addresses of private networks, of this machine, and others that are not of the internet will do, as they do
  /// for a host that the operator wrote out.
  public var allowsPrivate: Bool

  /// Rules for a host that the operator wrote out, unless told otherwise.
  public init(allowsPrivate: Bool = true) {
    self.allowsPrivate = allowsPrivate
  }

  /// Whether a connection may be made to addresses of `kind`.
  public func allows(_ kind: IPAddress.Kind) -> Bool {
    switch kind.access {
    case .open: true
    case .restricted: allowsPrivate
    case .never: false
    }
  }
}
