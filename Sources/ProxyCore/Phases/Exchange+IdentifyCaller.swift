internal import Bytes
internal import Callers
internal import Configuration
internal import Cryptography
internal import HTTPWire
internal import Reactor
internal import Secrets

extension Exchange {
  // The longest that a request waits for its password to be checked.
  private static let longestCheck = Duration.seconds(10)

  /// Finds out which of the callers of proxy.conf sent the request: by user and password if it has them, else by its
  /// connection; and whether this listener serves that caller. The route may ask for the caller too.
  func identifyCaller(_ callers: CallerDirectory) async throws(ExchangeError) {
    try await findCaller(callers)
    if let access = connection.listenerAccess(in: callers) {
      try requireCaller(access, .listener("\(connection.listener.address)"))
    }
  }

  private func findCaller(_ callers: CallerDirectory) async throws(ExchangeError) {
    request.caller = connection.callers.caller(in: callers)
    // The fields of a request inside a tunnel are meant for the upstream.
    guard connection.tunnelTarget == nil, let passwords = callers.passwords,
      let field = head.first(.proxyAuthorization)
    else { return }
    try await identify(by: field, passwords, callers)
    if head.methodKind == .connect { connection.callers.enterTunnel(request.caller, in: callers) }
  }

  private func identify(
    by field: FieldLine, _ passwords: PasswordVerifier, _ callers: CallerDirectory
  ) async throws(ExchangeError) {
    if let known = connection.callers.password(in: callers), holds(known.field, field.value) {
      return request.caller = known.caller
    }
    let verdict = try await verdict(on: field, passwords)
    if case .right(let found) = verdict {
      request.caller = found
      connection.callers.remember(secret(field.value), of: found, in: callers)
    } else {
      request.passwordVerdict = verdict
    }
  }

  private func verdict(on field: FieldLine, _ passwords: PasswordVerifier) async throws(ExchangeError)
    -> PasswordVerdict
  {
    guard head.fields.count(where: { $0.known == .proxyAuthorization }) == 1,
      let credentials = credentials(in: field.value)
    else { return .wrong }
    // A connection with a request is always counted.
    guard case .counted(let client) = connection.standing else { return .busy }
    let delivery = Delivery<PasswordVerdict>(loop: worker.loop, wakeup: connection.wakeup)
    if let verdict = passwords.check(
      credentials, from: client, at: connection.peer, { delivery.deliver($0) })
    {
      return verdict
    }
    defer { delivery.cancel() }
    connection.setDeadline(worker.loop.now + Self.longestCheck)
    while true {
      if let verdict = delivery.value { return verdict }
      try await wait(overdue: .passwordsBusy)
    }
  }

  /// Rejects the request unless `access` admits its caller: with a challenge if user and password could help.
  func requireCaller(_ access: CallerAccess, _ place: @autoclosure () -> CallerPlace) throws(ExchangeError) {
    if let caller = request.caller {
      if access.admits(caller) { return }
    } else if access.admitsStrangers, request.passwordVerdict == nil {
      return
    }
    throw refusal(access, place())
  }

  /// Rejects CONNECT if nothing inside the tunnel would be served: inside, it is too late to request user and password.
  func requireCallerOfTunnel(_ routes: [ProxyRoute]) throws(ExchangeError) {
    guard let place = routes.first(where: { $0.policy.callerAccess != nil }), let access = place.policy.callerAccess
    else { return }
    let isServed = routes.contains { route in
      guard let access = route.policy.callerAccess else { return true }
      return request.caller.map(access.admits) ?? access.admitsStrangers
    }
    // A client with a wrong password is not treated like one without a password.
    if isServed, request.caller != nil || request.passwordVerdict == nil { return }
    throw refusal(access, .route(place))
  }

  private func refusal(_ access: CallerAccess, _ place: CallerPlace) -> ExchangeError {
    switch request.passwordVerdict {
    case .tooManyGuesses(let seconds): return .tooManyGuesses(seconds: seconds)
    case .busy: return .passwordsBusy
    case .wrong, .right, nil: break
    }
    let isProxyRequest = request.target?.authority != nil && connection.tunnelTarget == nil
    let isKnownByPassword =
      request.caller != nil && request.passwordVerdict == nil && head.contains(.proxyAuthorization)
    if isProxyRequest, !isKnownByPassword, generation.callers?.takesPasswords(access) == true {
      return request.passwordVerdict == nil ? .passwordNeeded(place) : .passwordWrong(place)
    }
    if let caller = request.caller, let callers = generation.callers {
      return .callerNotAdmitted(callers.names[caller], place)
    }
    return .callerUnknown(place, connection.tunnelTarget != nil ? .tunnel : isProxyRequest ? .proxy : .baseURL)
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
