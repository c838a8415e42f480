internal import Addresses
internal import Outbound
internal import Reactor

/// The address that one attempt connects to, and the host that it is an address of.
struct Endpoint {
  /// A name, or an IP address without brackets.
  let host: String
  let port: UInt16
  let address: IPAddress

  /// What tells libcurl the address of the host; nil where the host is an address itself.
  var resolveLine: String? {
    guard IPAddress(host) == nil else { return nil }
    return switch address {
    case .v4: "\(host):\(port):\(address.text)"
    case .v6: "\(host):\(port):[\(address.text)]"
    }
  }

  /// Address and port, as the log has them.
  var text: String {
    switch address {
    case .v4: "\(address.text):\(port)"
    case .v6: "[\(address.text)]:\(port)"
    }
  }
}

/// A connection to an address that could not be made.
public struct ConnectFailure: Sendable {
  /// Which upstream it is an address of.
  public let upstream: String
  /// Address and port.
  public let address: String
  /// How it failed.
  public let fault: ConnectFault
}

/// A connection in the making, to one of the addresses of a host: it carries out a ``ConnectPlan``.
///
/// On the loop's thread. Keep it until it has called its completion.
public final class DialAttempt {
  /// Where it leads.
  struct Target {
    /// A name, or an IP address without brackets.
    let host: String
    let port: UInt16
    let filter: DestinationFilter
    /// The parent proxy, if the target is one.
    let parent: ParentProxy?
    let policy: ConnectionPolicy
    /// What the metrics call it.
    let upstream: String
  }

  /// Makes the transfer for one attempt, which may take this long.
  typealias Make = (Endpoint, DestinationCheck, Duration) throws(UpstreamError) -> CurlTransfer

  private let target: Target
  private let dialer: Dialer
  private let loop: EventLoop
  private let make: Make
  private let completion: (CurlTransfer?, Result<Void, UpstreamError>) -> Void
  private let goesOn: Bool
  private var plan: ConnectPlan
  private var transfers: [Int: (transfer: CurlTransfer, address: IPAddress)] = [:]
  private var winner: Int?
  private var wait: NameWait?
  private let timer = LoopTimer()
  private var isBeginning = false
  private var earlyError: UpstreamError?
  private var isOver = false

  /// Called with all addresses of the host when they are known, of which some may be forbidden, and with those that it had lately.
  var resolved: (([IPAddress]) -> Void)?

  /// - Parameter goesOn: whether the transfers send a request when they are connected: only one of them does, and the
  ///   completion is called at its end.
  /// - Parameter completion: called once with the transfer that connected, which the completion must close, and how that ended.
  init(
    to target: Target, timeout: Duration, by dialer: Dialer, goesOn: Bool = false, make: @escaping Make,
    completion: @escaping (CurlTransfer?, Result<Void, UpstreamError>) -> Void
  ) {
    self.target = target
    self.dialer = dialer
    self.goesOn = goesOn
    self.make = make
    self.completion = completion
    loop = dialer.loop
    plan = ConnectPlan(host: target.host, attempts: target.policy.connectAttempts, timeout: timeout, at: .now)
    timer.action = { [unowned self] in run() }
  }

  deinit { end() }

  /// Begins. Throws a failure that happens at once; the completion is not called then.
  func begin() throws(UpstreamError) {
    isBeginning = true
    run()
    isBeginning = false
    if let earlyError { throw earlyError }
  }

  /// Gives up; the completion is not called any more.
  public func cancel() {
    isOver = true
    end()
  }

  private func end() {
    loop.retire(timer)
    wait?.cancel()
    wait = nil
    for (transfer, _) in transfers.values { transfer.close() }
    transfers = [:]
  }

  // MARK: The plan

  private func run() {
    endLosers()
    while !isOver, let action = plan.next(at: .now, isEstablished: isEstablished) {
      switch action {
      case .choose: choose()
      case .start(let address, let attempt): start(address, attempt)
      case .fail(let error): fail(error)
      }
    }
    if !isOver { loop.set(timer, to: plan.wake) }
  }

  private func isEstablished(_ attempt: Int) -> Bool { transfers[attempt]?.transfer.isEstablished ?? false }

  private func choose() {
    if let address = IPAddress(target.host) { return take(.addresses([address])) }
    let look = dialer.known.names.look(up: target.host, refresh: target.policy.dnsRefresh, on: loop) {
      [unowned self] answer in
      wait = nil
      take(answer)
      run()
    }
    switch look {
    case .known(let answer): take(answer)
    case .pending(let wait): self.wait = wait
    }
  }

  private func take(_ answer: NameAnswer) {
    switch answer {
    case .failure(let reason):
      plan.cannotChoose(explain(.dns("Could not resolve host: \(target.host) (\(reason))")))
    case .addresses(let addresses, let earlier):
      resolved?(addresses + earlier)
      var filter = target.filter
      let admitted = addresses.filter { filter.admits($0, target.port) }
      guard !admitted.isEmpty else {
        return plan.cannotChoose(
          explain(filter.refusal ?? .prohibited("\(target.host) has no address that is allowed")))
      }
      plan.use(dialer.known.order(admitted, port: target.port))
    }
  }

  /// The meaning of `error`, which happened before a transfer could explain it.
  private func explain(_ error: UpstreamError) -> UpstreamError {
    target.parent?.explain(error, connectStatus: 0) ?? error
  }

  private func start(_ address: IPAddress, _ attempt: Int) {
    let endpoint = Endpoint(host: target.host, port: target.port, address: address)
    do throws(UpstreamError) {
      let transfer = try make(endpoint, DestinationCheck(target.filter, only: address), plan.rest(at: .now))
      transfers[attempt] = (transfer, address)
      if goesOn {
        try transfer.start(connected: { [unowned self] in admit(attempt) }) { [unowned self] in ended(attempt, $0) }
      } else {
        try transfer.start { [unowned self] in ended(attempt, $0) }
      }
    } catch {
      let failure = DescriptorShortage.isPresent ? .noDescriptors : error
      transfers.removeValue(forKey: attempt)?.transfer.close()
      plan.failed(attempt, failure, mayPass: false)
    }
  }

  // MARK: What becomes of an attempt

  /// Whether the attempt, which has connected, may send its request. Called during a call of libcurl.
  private func admit(_ attempt: Int) -> Bool {
    guard winner == nil, !isOver, transfers[attempt]?.transfer.isLostAtOnce() == false else { return false }
    win(attempt)
    loop.set(timer, to: loop.now)
    return true
  }

  private func win(_ attempt: Int) {
    winner = attempt
    for other in plan.connected(attempt, at: .now) { note(other.number, .overtaken) }
    guard let address = transfers[attempt]?.address else { return }
    dialer.known.worked(address, port: target.port)
    if IPAddress(target.host) == nil { dialer.known.names.worked(target.host, address) }
  }

  private func endLosers() {
    guard let winner else { return }
    for (attempt, entry) in transfers where attempt != winner {
      entry.transfer.close()
      transfers[attempt] = nil
    }
  }

  private func ended(_ attempt: Int, _ result: Result<Void, UpstreamError>) {
    guard !isOver, let transfer = transfers[attempt]?.transfer else { return }
    var result = result
    if winner == nil, case .success = result {
      if transfer.isLostAtOnce() { result = .failure(transfer.lossError) } else { win(attempt) }
    }
    if winner == attempt {
      transfers[attempt] = nil
      return finish(transfer, result)
    }
    guard winner == nil, case .failure(let failure) = result else {
      transfers[attempt] = nil
      return transfer.close()
    }
    // Check before the attempt gives back its descriptors: a shortage now is the one that it met.
    let error = DescriptorShortage.isPresent ? .noDescriptors : failure
    let fault = error == .noDescriptors ? nil : transfer.fault
    if let fault { note(attempt, fault) }
    transfers[attempt] = nil
    transfer.close()
    plan.failed(attempt, error, mayPass: fault != nil)
    run()
  }

  /// Notes a failure of the address. If the parent proxy has responded, the failure says nothing about its own address.
  private func note(_ attempt: Int, _ fault: ConnectFault) {
    guard let (transfer, address) = transfers[attempt], !transfer.hasPassedParent else { return }
    dialer.known.failed(address, port: target.port)
    if IPAddress(target.host) == nil { dialer.known.names.suspect(target.host, address) }
    let endpoint = Endpoint(host: target.host, port: target.port, address: address)
    dialer.onConnectFailure?(
      ConnectFailure(upstream: target.upstream, address: endpoint.text, fault: fault))
  }

  private func fail(_ error: UpstreamError) {
    // Those that are still under way have had all the time there was.
    for attempt in plan.active { note(attempt.number, .timeout) }
    let error = plan.isOverdue ? explain(error) : error
    guard isBeginning else { return finish(nil, .failure(error)) }
    isOver = true
    earlyError = error
    end()
  }

  private func finish(_ transfer: CurlTransfer?, _ result: Result<Void, UpstreamError>) {
    isOver = true
    end()
    completion(transfer, result)
  }
}
