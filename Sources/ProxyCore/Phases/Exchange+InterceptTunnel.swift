internal import Bytes
internal import Cryptography
internal import HTTPWire
internal import Interception
internal import Reactor
internal import Routing

extension Exchange {
  /// Responds to CONNECT to a host whose requests are served here, and does the TLS handshake if the client begins one;
  /// otherwise the client speaks plain HTTP. The requests inside are exchanges of their own.
  func interceptTunnel() async throws(ExchangeError) {
    let (authority, port) = Self.connectTarget(receivedTarget)
    // It is made at start if a route is intercepted.
    guard let leaves = generation.leafCertificates else {
      preconditionFailure("an intercepted route has a certificate authority")
    }
    let host = text(of: authority.nameWithoutDot).lowercased()
    connection.setDeadline(worker.loop.now + generation.timeouts.handshake)
    let context = try await leafContext(for: host, leaves)
    outcome.tunnelRequest = TunnelRequest(method: "CONNECT", host: text(of: authority.host), requestID: requestID)
    outcome.status = 200
    outcome.hasBegunAnswer = true
    connection.input = takeTunnelBytes()
    request.hasHead = false
    guard await confirmTunnel() else { throw .clientGone }
    var tunnel = TunnelTarget(host: Array(host.utf8), kind: authority.kind, port: port)
    tunnel.isSecure = try await beginsTLS(minimum: leaves.minimum)
    if tunnel.isSecure {
      tunnel.otherServerName = try await startTLS(context, host, leaves)
    }
    connection.enterTunnel(tunnel)
    outcome.ending = .keepsConnection
  }

  /// The TLS context that shows a certificate for `host`. A new one is made on another thread, since signing with a
  /// large key takes milliseconds: one at a time for each loop, so that a client that requests many hosts takes no more
  /// than that, and others are served in between.
  private func leafContext(
    for host: String, _ leaves: LeafCertificates
  ) async throws(ExchangeError) -> TLSServerContext {
    if let context = leaves.cached(for: host) { return context }
    let (worker, client) = (self.worker, connection.clientAddress)
    if !worker.minting.enter(client) {
      let isMine = await worker.minting.wait(for: client, at: connection.wakeup) {
        do throws(ExchangeError) { try check(overdue: .certificateTimeout) } catch { return false }
        return true
      }
      guard isMine else {
        try check(overdue: .certificateTimeout)
        throw .certificateTimeout
      }
      // Another connection may have waited for the same one.
      if let context = leaves.cached(for: host) {
        worker.minting.leave(client)
        return context
      }
    }
    let delivery = Delivery<Result<TLSServerContext, LeafError>>(loop: worker.loop, wakeup: connection.wakeup)
    Task.detached {
      delivery.deliver(Result { () throws(LeafError) in try leaves.mint(for: host) })
      // Even if the client no longer waits for it.
      worker.loop.perform { worker.minting.leave(client) }
    }
    do throws(ExchangeError) {
      while delivery.value == nil { try await wait(overdue: .certificateTimeout) }
    } catch {
      delivery.cancel()
      throw error
    }
    do throws(LeafError) {
      return try delivery.value!.get()
    } catch {
      throw .interception(error)
    }
  }

  /// Waits for the first byte inside the tunnel; whether it begins a TLS handshake.
  private func beginsTLS(minimum: TLSVersion) async throws(ExchangeError) -> Bool {
    connection.setDeadline(worker.loop.now + generation.timeouts.handshake)
    while true {
      if let input = connection.input {
        let byte = input.readableBytes[0]
        if ClientHello.begins(with: byte, minimum: minimum) { return true }
        guard !ClientHello.isOldForm(byte) else {
          throw .clientTLS(.oldForm, inside: outcome.tunnelRequest?.host ?? "")
        }
        return false
      }
      guard connection.receiveFirstBytes() else { throw .clientGone }
      guard connection.input == nil else { continue }
      if connection.isAborted { throw .draining }
      if connection.isOverdue { throw .clientTLS(.timedOut, inside: outcome.tunnelRequest?.host ?? "") }
      await connection.wakeup.wait()
    }
  }

  /// Returns the name that the client requested if it is not `host`. If that host is intercepted too, the client gets
  /// its certificate, so that it can read the response that says what is wrong; otherwise the certificate for `host`.
  private func startTLS(
    _ context: TLSServerContext, _ host: String, _ leaves: LeafCertificates
  ) async throws(ExchangeError) -> String? {
    var otherName: String?
    do throws(TLSFailure) {
      try await connection.startTLS(context) { name in
        guard let name, name.lowercased() != host, name.lowercased() != "\(host)." else { return nil }
        otherName = name
        guard isIntercepted(name) else { return nil }
        // Without it the client gets the same response, if it accepts the other certificate.
        return try? await leafContext(for: name, leaves)
      }
    } catch {
      throw connection.isAborted ? .draining : .clientTLS(error, inside: host)
    }
    return otherName
  }

  private func isIntercepted(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    guard let port = request.target?.port, case .intercepted = generation.table.tunnel(to: bytes.span, port: port)
    else {
      return false
    }
    return true
  }
}
