internal import Bytes
internal import HTTPWire
internal import Reactor
internal import Telemetry
internal import Upstream

extension Exchange {
  /// Connects to the target of CONNECT, and tells the client. What the client sent after its request stays where it is
  /// until then (RFC 9931).
  func openTunnel(_ matched: ProxyRoute) async throws(ExchangeError) -> ProxyRoute {
    let route = try chooseUpstream(matched)
    try await connectUpstream(route)
    outcome.tunnelRequest = TunnelRequest(method: "CONNECT", host: text(of: receivedTarget.host), requestID: requestID)
    outcome.status = 200
    outcome.hasBegunAnswer = true
    holdings.tunnel = TunnelRelay(fromClient: takeTunnelBytes())
    guard await confirmTunnel() else { throw .clientGone }
    return route
  }

  /// Tells the client that its tunnel is open; false if the client does not take that.
  func confirmTunnel() async -> Bool {
    // A 2xx to CONNECT has neither length nor coding (RFC 9110 section 9.3.6).
    let date = String(decoding: worker.httpDate, as: UTF8.self)
    return await send(Array("HTTP/1.1 200 Connection established\r\nDate: \(date)\r\n\r\n".utf8))
  }

  /// Forwards bytes in both directions until both sides have ended. Any other end is a reset, so that neither side
  /// takes what it has for the whole.
  func relayTunnel(_ route: ProxyRoute) async throws(ExchangeError) {
    guard let upstream = attempt.upstream else { preconditionFailure("a tunnel has an upstream") }
    // No further request arrives on the client's connection.
    connection.endPin()
    let open = local.routes[route.index].tunnels
    open.add()
    connection.isTunnel = true
    defer { open.subtract() }
    do throws(ExchangeError) {
      try await relay(route, upstream.stream)
    } catch {
      upstream.stream.abort()
      throw error
    }
  }

  /// What the client has sent after the head, in its buffer; the head is not needed any more.
  func takeTunnelBytes() -> ByteBuffer? {
    guard let input = connection.input else { return nil }
    connection.input = nil
    input.consume(head.length)
    guard input.isEmpty else { return buffers.grow(input) }
    buffers.giveBack(input)
    return nil
  }

  private func relay(_ route: ProxyRoute, _ upstream: ByteStream) async throws(ExchangeError) {
    var undelivered = Int.max
    setTunnelDeadline(route)
    while true {
      let progress: BodyRelay.Progress
      do throws(TunnelRelay.Failure) {
        progress = try holdings.tunnel!.step(client: connection.stream, upstream: upstream, buffers)
      } catch {
        switch error {
        case .client: throw .clientGone
        case .upstream(let reason): throw .tunnelBroken(reason)
        }
      }
      // Closing a stream loses bytes that wait for room in the kernel.
      if holdings.tunnel!.isFinished,
        ![connection.stream, upstream].contains(where: { $0.hasUnsentBytes && !$0.hasFailed })
      {
        return
      }
      if progress.hasMoved {
        undelivered = .max
        setTunnelDeadline(route)
      }
      try checkTunnel(route, upstream, &undelivered)
      if progress.hasMore {
        await worker.loop.yield()
      } else {
        await connection.wakeup.wait()
      }
    }
  }

  private func setTunnelDeadline(_ route: ProxyRoute) {
    connection.setDeadline(worker.loop.now + route.policy.timeouts.tunnel)
  }

  /// - Parameter undelivered: how many bytes the kernel held for both sides at the previous deadline, if nothing has
  ///   moved since.
  private func checkTunnel(
    _ route: ProxyRoute, _ upstream: ByteStream, _ undelivered: inout Int
  ) throws(ExchangeError) {
    if connection.isAborted { throw .draining }
    // A tunnel that keeps moving bytes sets new deadlines, and would never be overdue.
    if worker.loop.now >= connection.finalDeadline { throw .outOfTime(route) }
    guard connection.isOverdue else { return }
    // The kernel reports that a socket is writable only when a good part of its buffer is empty; until then the buffer
    // shows whether bytes are taken.
    let held = connection.stream.undeliveredBytes + upstream.undeliveredBytes
    guard held > 0, held < undelivered else { throw .tunnelIdle }
    undelivered = held
    setTunnelDeadline(route)
  }
}
