internal import Bytes
internal import ProxyProtocol
internal import Reactor

extension ClientConnection {
  /// What comes before the first request: whose connection it is, where a load balancer passes it on, and whether that
  /// client may have it. False when there will be no request.
  func isReady() async -> Bool {
    if case .unknown = standing {
      guard await readProxyHeader() else { return false }
    }
    if case .refused = standing {
      await refuse()
      return false
    }
    return true
  }

  /// Reads the header of the PROXY protocol that the connection must begin with; false when it does not.
  private func readProxyHeader() async -> Bool {
    setDeadline(worker.loop.now + worker.timeouts.head)
    while true {
      do throws(ProxyHeaderError) {
        if let header = try parseProxyHeader() { return take(header) }
      } catch {
        worker.noteProxyHeader(of: peer, error.message)
        return false
      }
      switch receive() {
      case .transferred: continue
      case .wouldBlock:
        if isAborted || worker.isDraining { return false }
        if isOverdue {
          worker.noteProxyHeader(of: peer, "the header did not come in time")
          return false
        }
        await wakeup.wait()
      case .endOfStream, .failed:
        // Whoever only looks whether somebody listens sends nothing at all.
        if input != nil { worker.noteProxyHeader(of: peer, "the connection ended in the middle of the header") }
        return false
      }
    }
  }

  private func parseProxyHeader() throws(ProxyHeaderError) -> ProxyHeader? {
    guard let input else { return nil }
    return try ProxyHeader.parse(input.readableBytes)
  }

  /// Goes on as the connection that the header says this is.
  private func take(_ header: ProxyHeader) -> Bool {
    consume(header.length)
    let client: SocketPeer
    if let source = header.source, let destination = header.destination {
      client = .address(source.description)
      belongs(to: client, destination: destination.description)
    } else {
      client = peerCredentials.uid.map(SocketPeer.user) ?? .address(peer)
    }
    guard let standing = worker.admit(client) else { return false }
    self.standing = standing
    return true
  }
}
