internal import Addresses
public import Bytes
internal import CCurl
internal import Glibc
internal import Outbound
public import Reactor
internal import SystemPackage

/// Makes connections for one event loop: resolves names, races addresses, and lets libcurl connect, do the TLS
/// handshake and verify.
public final class Dialer {
  let loop: EventLoop
  private let stores: TrustStores
  private var trusts: [TrustSettings: LoopTrust] = [:]
  let account: MemoryAccount
  let known: KnownAddresses
  /// The places for connections that the pools of several loops share.
  let places: SharedPlacesByOrigin

  /// Called for every address that a connection could not be made to.
  public var onConnectFailure: ((ConnectFailure) -> Void)?

  /// Where this process serves clients; no upstream connection may lead there.
  public var ownListeners = OwnListeners()

  /// A dialer of `loop` that verifies servers against the trust that the options of each connection name, out of
  /// `trust`.
  ///
  /// - Parameter known: the names and addresses of the process.
  /// - Parameter account: which memory account its connections are charged to.
  /// - Parameter places: shared by the dialers of all loops.
  public init(
    loop: EventLoop, trust: TrustStores, known: KnownAddresses = KnownAddresses(),
    account: MemoryAccount = MemoryAccount(limit: nil), places: SharedPlacesByOrigin = SharedPlacesByOrigin()
  ) throws(UpstreamError) {
    self.account = account
    self.known = known
    self.places = places
    self.loop = loop
    stores = trust
  }

  /// The trust of connections with `options` on this loop.
  func trust(_ options: ConnectionOptions) throws(UpstreamError) -> LoopTrust {
    if let known = trusts[options.trust] { return known }
    let made = try LoopTrust(options.trust, stores, loop)
    trusts[options.trust] = made
    return made
  }

  /// Begins to connect to `origin`. `completion` is called once, later, on the loop's thread, unless the attempt is
  /// cancelled first, or an error is thrown.
  ///
  /// - Parameter upstream: what the metrics call the origin.
  /// - Parameter resolved: called with the addresses of the origin's host when they are known, which may be at once.
  func dial(
    _ origin: UpstreamOrigin, timeout: Duration, upstream: String, resolved: @escaping ([IPAddress]) -> Void = { _ in },
    completion: @escaping (Result<DialedConnection, UpstreamError>) -> Void
  ) throws(UpstreamError) -> DialAttempt {
    // With a parent proxy the connection goes to the proxy's address, and the operator wrote that out.
    let rules = origin.options.parentProxy == nil ? origin.destinations : DestinationRules()
    let target = DialAttempt.Target(
      host: origin.connectedHost, port: origin.connectedPort, filter: DestinationFilter(rules, own: ownListeners),
      parent: origin.options.parentProxy, policy: origin.options.policy, upstream: upstream)
    let attempt = DialAttempt(
      to: target, timeout: timeout, by: self,
      make: { [unowned self] (endpoint, check, rest) throws(UpstreamError) in
        let transfer = try self.transfer(url: origin.url, endpoint, check, origin.options)
        try transfer.set(CURLOPT_CONNECT_ONLY, 1)
        // The attempt's own timeout comes first, and says which addresses were tried.
        try transfer.set(CURLOPT_CONNECTTIMEOUT_MS, (rest + Self.grace).milliseconds)
        return transfer
      },
      completion: { [loop] transfer, result in
        guard let transfer else { return completion(result.map { preconditionFailure("nothing has connected") }) }
        // This transfer only connects, so it has succeeded.
        let endpoint = transfer.endpoint
        completion(Self.stream(from: transfer, origin, loop).map { DialedConnection(stream: $0, endpoint: endpoint) })
      })
    attempt.resolved = resolved
    try attempt.begin()
    return attempt
  }

  private static let grace = Duration.seconds(1)

  func transfer(
    url: String, _ endpoint: Endpoint, _ destination: DestinationCheck, _ options: ConnectionOptions
  ) throws(UpstreamError) -> CurlTransfer {
    let trust = try trust(options)
    try trust.refresh()
    return try CurlTransfer(
      url: url, endpoint: endpoint, loop: loop, share: trust.share, trust: trust.store, destination: destination,
      options: options, account: account)
  }

  private static func stream(
    from transfer: CurlTransfer, _ origin: UpstreamOrigin, _ loop: EventLoop
  ) -> Result<ByteStream, UpstreamError> {
    let descriptor = unsafe ccurl_active_socket(transfer.easy)
    guard descriptor != CURL_SOCKET_BAD else {
      transfer.close()
      return .failure(.broken("the connection was lost as soon as it was made"))
    }
    transfer.handOver()
    do {
      if origin.isSecure {
        let acceptsTruncation = origin.options.acceptsTruncation
        return .success(
          try CurlStream(transfer, descriptor: descriptor, acceptsTruncation: acceptsTruncation, on: loop))
      }
      // Without TLS libcurl is no longer needed: a copy of the descriptor outlives its handles.
      defer { transfer.close() }
      let copy = Descriptor(owning: try Errno.check(fcntl(descriptor, F_DUPFD_CLOEXEC, 0)))
      return .success(try SocketStream(copy, on: loop))
    } catch let error as UpstreamError {
      return .failure(error)
    } catch let errno as Errno where errno.isShortage {
      return .failure(.noDescriptors)
    } catch {
      return .failure(.other("no descriptor for the connection: \(error)"))
    }
  }
}

/// A connection that was made, and the address that it leads to.
struct DialedConnection {
  let stream: ByteStream
  let endpoint: Endpoint
}
