/// Why there is no certificate for a host.
public enum LeafError: Error, Hashable, CustomStringConvertible {
  /// What was asked for is neither a host name nor an address.
  case noHost(String)
  /// The constraints of the authority's certificate do not permit the host.
  case outOfScope(String)
  /// The authority's certificate is not valid any more, or not yet.
  case authorityNotValid(until: String)
  /// OpenSSL fails, for want of memory for example.
  case failed(String)

  /// One sentence without its full stop.
  public var description: String {
    switch self {
    case .noHost(let host): "there can be no certificate for \"\(host)\", which is not the name of a host"
    case .outOfScope(let host):
      "the name constraints of the certificate authority do not permit \(host); \"m2m-proxy ca init --force\" makes one "
        + "for the hosts that are in proxy.conf now"
    case .authorityNotValid(let end):
      "the certificate authority is not valid now (its last day: \(end)); \"m2m-proxy ca init --force\" makes a new one"
    case .failed(let reason): reason
    }
  }
}
