public import Bytes
internal import CCurl
internal import Glibc
internal import Outbound
public import Reactor
internal import SystemPackage

/// Makes connections for one event loop, by libcurl: names resolved, addresses raced, TLS shaken and verified.
public final class Dialer {
  let loop: EventLoop
  private let stores: TrustStores
  private var trusts: [TrustSettings: LoopTrust] = [:]
  let account: MemoryAccount
  /// The places for connections that pools of several loops share.
  let places: SharedPlacesByOrigin

  /// Where this process serves clients, which no connection to an upstream may lead to.
  public var ownListeners = OwnListeners()

  /// A dialer of `loop` that verifies servers against those of `trust` that their connections' options name.
  ///
  /// - Parameter account: where the memory of its connections counts.
  /// - Parameter places: the dialers of all loops have the same.
  public init(
    loop: EventLoop, trust: TrustStores, account: MemoryAccount = MemoryAccount(limit: nil),
    places: SharedPlacesByOrigin = SharedPlacesByOrigin()
  ) throws(UpstreamError) {
    self.account = account
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
  /// cancelled before.
  public func dial(
    _ origin: UpstreamOrigin, timeout: Duration,
    completion: @escaping (Result<ByteStream, UpstreamError>) -> Void
  ) throws(UpstreamError) -> DialAttempt {
    let transfer: CurlTransfer
    do {
      // With a parent proxy it is the proxy's address that is connected to, and the operator wrote that out.
      let rules = origin.options.parentProxy == nil ? origin.destinations : DestinationRules()
      transfer = try self.transfer(url: origin.url, DestinationCheck(rules, own: ownListeners), origin.options)
    } catch {
      throw DescriptorShortage.isPresent ? .noDescriptors : error
    }
    try transfer.set(CURLOPT_CONNECT_ONLY, 1)
    try transfer.set(CURLOPT_CONNECTTIMEOUT_MS, Int(clamping: timeout.nanoseconds / 1_000_000))
    try transfer.start { [loop] result in
      switch result {
      case .success:
        completion(Self.stream(from: transfer, origin, loop))
      case .failure(let error):
        // Asked before the attempt gives back what it has: what is missing now is what it missed.
        let failure = DescriptorShortage.isPresent ? .noDescriptors : error
        transfer.close()
        completion(.failure(failure))
      }
    }
    return DialAttempt(transfer)
  }

  func transfer(
    url: String, _ destination: DestinationCheck, _ options: ConnectionOptions
  ) throws(UpstreamError) -> CurlTransfer {
    let trust = try trust(options)
    try trust.refresh()
    return try CurlTransfer(
      url: url, loop: loop, share: trust.share, trust: trust.store, destination: destination, options: options,
      account: account)
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
      // Without TLS libcurl has done its part: a copy of the descriptor outlives its handles.
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

/// A connection in the making.
public final class DialAttempt {
  private let transfer: CurlTransfer

  init(_ transfer: CurlTransfer) {
    self.transfer = transfer
  }

  /// Gives up; the completion is not called any more.
  public func cancel() {
    transfer.close()
  }
}
