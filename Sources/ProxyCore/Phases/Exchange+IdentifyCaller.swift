internal import Bytes
internal import Cryptography
internal import HTTPWire
internal import Reactor
internal import Secrets

extension Exchange {
  // The longest that a request waits for its password to be looked at.
  private static let longestCheck = Duration.seconds(10)

  /// Finds out which of the callers of proxy.conf sent the request: by user and password where it has them, else by what
  /// is known of its connection. Whether it had to say is for the listener and the route to decide.
  func identifyCaller(_ callers: CallerDirectory) async throws(ExchangeError) {
    caller = connection.callerOfPeer
    guard let passwords = callers.passwords, let field = head.first(.proxyAuthorization) else { return }
    try await identify(by: field, passwords)
    if head.methodKind == .connect { connection.callerOfPeer = caller }
  }

  private func identify(by field: FieldLine, _ passwords: PasswordVerifier) async throws(ExchangeError) {
    if let known = connection.knownCredentials, holds(known.field, field.value) { return caller = known.caller }
    let verdict = try await verdict(on: field, passwords)
    if case .right(let found) = verdict {
      caller = found
      connection.knownCredentials = (secret(field.value), found)
    } else {
      passwordVerdict = verdict
    }
  }

  private func verdict(on field: FieldLine, _ passwords: PasswordVerifier) async throws(ExchangeError)
    -> PasswordVerdict
  {
    guard head.fields.count(where: { $0.known == .proxyAuthorization }) == 1,
      let credentials = credentials(in: field.value)
    else { return .wrong }
    // Nobody else has a request.
    guard case .counted(let client) = connection.standing else { return .busy }
    let delivery = PasswordDelivery(loop: worker.loop, wakeup: connection.wakeup)
    if let verdict = passwords.check(
      credentials, from: client, at: connection.peer, { delivery.deliver($0) })
    {
      return verdict
    }
    defer { delivery.refuse() }
    connection.setDeadline(worker.loop.now + Self.longestCheck)
    while true {
      if let verdict = delivery.verdict { return verdict }
      try await wait(overdue: .caller(.busy))
    }
  }

  /// Refuses the request unless `access` admits who sent it: with a challenge where user and password might mend that.
  func requireCaller(_ access: CallerAccess, _ place: @autoclosure () -> CallerRefusal.Place) throws(ExchangeError) {
    if let caller {
      if access.admits(caller) { return }
    } else if access.admitsStrangers, passwordVerdict == nil {
      return
    }
    throw .caller(refusal(access, place()))
  }

  private func refusal(_ access: CallerAccess, _ place: CallerRefusal.Place) -> CallerRefusal {
    switch passwordVerdict {
    case .tooManyGuesses(let seconds): return .tooManyGuesses(seconds: seconds)
    case .busy: return .busy
    case .wrong, .right, nil: break
    }
    let isProxyRequest = target?.authority != nil
    let isKnownByPassword = caller != nil && passwordVerdict == nil && head.contains(.proxyAuthorization)
    if isProxyRequest, !isKnownByPassword, worker.callers?.takesPasswords(access) == true {
      return passwordVerdict == nil ? .passwordNeeded(place) : .passwordWrong(place)
    }
    if let caller, let callers = worker.callers { return .notAdmitted(caller: callers.names[caller], place) }
    return .unknown(place, isBaseURL: !isProxyRequest)
  }

  // MARK: The field

  private func credentials(in value: ByteRange) -> BasicCredentials? {
    guard let input = connection.input else { return nil }
    return BasicCredentials(input.readableBytes.extracting(value.range))
  }

  private func secret(_ value: ByteRange) -> Secret {
    guard let input = connection.input else { return Secret("") }
    return Secret(input.readableBytes.extracting(value.range))
  }

  private func holds(_ secret: Secret, _ value: ByteRange) -> Bool {
    guard let input = connection.input, secret.count == value.count else { return false }
    return secret.withBytes { kept in
      let bytes = input.readableBytes
      return kept.indices.allSatisfy { kept[$0] == bytes[Int(value.start) + $0] }
    }
  }
}

/// Brings a verdict from the thread that looks at passwords to the task that waits for it.
// Touched on the loop's thread only: what comes from elsewhere is posted there.
private final class PasswordDelivery: @unchecked Sendable {
  private(set) var verdict: PasswordVerdict?
  private let loop: EventLoop
  private var wakeup: Wakeup?

  init(loop: EventLoop, wakeup: Wakeup) {
    self.loop = loop
    self.wakeup = wakeup
  }

  func deliver(_ verdict: PasswordVerdict) {
    loop.perform { [self] in
      self.verdict = verdict
      wakeup?.wake()
    }
  }

  /// Nobody waits any more.
  func refuse() {
    wakeup = nil
  }
}
