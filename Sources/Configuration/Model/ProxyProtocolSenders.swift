public import Addresses

/// Whose connections begin with a header of the PROXY protocol, which says whose connection each really is.
public enum ProxyProtocolSenders: Sendable, Hashable {
  /// Nobody's.
  case nobody
  /// Those of load balancers at these addresses.
  case networks([IPNetwork])
  /// Everybody's: on a Unix socket, which only a load balancer can use.
  case everybody
}
