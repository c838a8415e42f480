internal import SystemPackage

/// Why the proxy did not start.
public struct StartError: Error, CustomStringConvertible {
  /// A sentence for the person at the terminal.
  public let description: String

  init(_ description: String) {
    self.description = description
  }

  static func bind(_ address: String, _ errno: Errno) -> StartError {
    switch errno {
    case .addressInUse:
      StartError("\(address) is in use: another program, or another m2m-proxy, listens there.")
    case .addressNotAvailable:
      StartError("\(address) is not an address of this machine.")
    case .permissionDenied, .notPermitted:
      StartError("\(address) may not be bound by this user; ports below 1024 need CAP_NET_BIND_SERVICE.")
    default:
      StartError("\(address) cannot be bound: \(errno).")
    }
  }
}
