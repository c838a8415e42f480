internal import Bytes
internal import HTTPWire
internal import Interception
internal import Reactor

extension Exchange {
  /// Answers CONNECT to a host whose requests are served here, and agrees on TLS with a client that begins with that; one that
  /// begins with something else speaks plain HTTP. The requests inside are exchanges of their own.
  func interceptTunnel() async throws(ExchangeError) {
    guard let target, let authority = target.authority, let port = authority.port, let leaves = worker.leaves else {
      return
    }
    let host = text(of: authority.nameWithoutDot).lowercased()
    let context = try await leafContext(for: host, leaves)
    tunnelRequest = TunnelRequest(method: "CONNECT", host: text(of: authority.host))
    status = 200
    hasBegunAnswer = true
    connection.input = takeTunnelBytes()
    hasHead = false
    guard await confirmTunnel() else { throw .clientGone }
    var tunnel = TunnelTarget(host: Array(host.utf8), kind: authority.kind, port: port)
    tunnel.isSecure = try await beginsTLS()
    if tunnel.isSecure {
      tunnel.otherServerName = try await startTLS(context, host, leaves)
    }
    connection.enterTunnel(tunnel)
    ending = .keepsConnection
  }

  /// What shows a certificate for `host`. One that has to be made first is made elsewhere: signing with a large key takes
  /// milliseconds, in which the loop serves others.
  private func leafContext(
    for host: String, _ leaves: LeafCertificates
  ) async throws(ExchangeError) -> TLSServerContext {
    if let context = leaves.cached(for: host) { return context }
    let delivery = Delivery<Result<TLSServerContext, LeafError>>(loop: worker.loop, wakeup: connection.wakeup)
    Task.detached { delivery.deliver(Result { () throws(LeafError) in try leaves.mint(for: host) }) }
    connection.setDeadline(worker.loop.now + worker.timeouts.handshake)
    do throws(ExchangeError) {
      while delivery.value == nil {
        try await wait(overdue: .interception(.failed("making a certificate took too long")))
      }
    } catch {
      delivery.refuse()
      throw error
    }
    do throws(LeafError) {
      return try delivery.value!.get()
    } catch {
      throw .interception(error)
    }
  }

  /// Waits for the first byte inside the tunnel; whether it is that of a TLS handshake (RFC 8446 section 5.1).
  private func beginsTLS() async throws(ExchangeError) -> Bool {
    connection.setDeadline(worker.loop.now + worker.timeouts.handshake)
    while true {
      if let input = connection.input { return input.readableBytes[0] == Self.handshakeRecord }
      guard connection.receiveFirstBytes() else { throw .clientGone }
      guard connection.input == nil else { continue }
      if connection.isAborted { throw .draining }
      if connection.isOverdue { throw .clientTLS(.timedOut, inside: tunnelRequest?.host ?? "") }
      await connection.wakeup.wait()
    }
  }

  /// Returns the name that the client asked for if it is not `host`. Where that is a host whose requests are served here too,
  /// it is shown the certificate for it: so it can read the answer that says what is wrong.
  private func startTLS(
    _ context: TLSServerContext, _ host: String, _ leaves: LeafCertificates
  ) async throws(ExchangeError) -> String? {
    var otherName: String?
    do throws(TLSFailure) {
      try await connection.startTLS(context) { name in
        guard let name, name.lowercased() != host, name.lowercased() != "\(host)." else { return nil }
        otherName = name
        return isIntercepted(name) ? try? leaves.mint(for: name) : nil
      }
    } catch {
      throw connection.isAborted ? .draining : .clientTLS(error, inside: host)
    }
    return otherName
  }

  private static var handshakeRecord: UInt8 { 22 }

  private func isIntercepted(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    guard let port = target?.port, case .intercepted = worker.table.tunnel(to: bytes.span, port: port) else {
      return false
    }
    return true
  }
}
