internal import Bytes
internal import Configuration
internal import HTTPWire

extension Exchange {
  /// What the references of the answer that lead to the upstream become; nil where all of them stay as they are.
  func linkMap(_ route: ProxyRoute) -> LinkMap? {
    guard answerHead.hasLinks, isMounted || route.policy.linkRewriting == .on, let upstream = route.destination.links,
      let target,
      let input = connection.input
    else { return nil }
    let bytes = input.readableBytes
    let mount = Int(target.path.start)..<Int(target.path.start) + mountLength
    return LinkMap(
      upstream, scheme: clientScheme(target), authority: target.authority ?? head.authority, bytes,
      mount: bytes.extracting(mount))
  }

  /// The scheme of the URL by which the client asks.
  private func clientScheme(_ target: RequestTarget) -> RequestTarget.Scheme {
    target.scheme ?? (connection.isSecure ? .https : .http)
  }
}
