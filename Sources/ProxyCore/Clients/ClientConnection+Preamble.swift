internal import Addresses
internal import Bytes
internal import Callers
internal import Configuration
internal import Cryptography
internal import HTTPWire
internal import Interception
internal import ProxyProtocol
internal import Reactor

extension ClientConnection {
  /// Whether anything comes before the first request.
  var hasPreamble: Bool {
    guard case .counted = standing, certificate == nil else { return true }
    return false
  }

  /// Does what comes before the first request: reads the PROXY header if a load balancer is in front, checks whether
  /// the client may have the connection, and does the TLS handshake. False if there will be no request.
  func isReady() async -> Bool {
    if case .unknown = standing {
      guard await readProxyHeader() else { return false }
      setDeadline(worker.loop.now + worker.generation.timeouts.handshake)
    }
    if case .refused(let error) = standing {
      // A TLS handshake just to say so would cost what the limit saves.
      if certificate == nil { await refuse(error) }
      return false
    }
    guard let certificate else { return true }
    return await shakeHands(certificate)
  }

  /// Reads the header of the PROXY protocol that the connection must begin with; false when it does not.
  private func readProxyHeader() async -> Bool {
    setDeadline(worker.loop.now + worker.generation.timeouts.head)
    while true {
      do throws(ProxyHeaderError) {
        if let header = try parseProxyHeader() { return take(header) }
      } catch {
        worker.noteProxyHeader(of: peer, error.message)
        return false
      }
      switch receiveLittle() {
      case .transferred: continue
      case .wouldBlock:
        if isAborted || isEnding { return false }
        if isOverdue {
          worker.noteProxyHeader(of: peer, "the header did not come in time")
          return false
        }
        fitInput()
        await wakeup.wait()
      case .endOfStream, .failed:
        // A client that only checks whether the port is open sends nothing.
        if input != nil { worker.noteProxyHeader(of: peer, "the connection ended in the middle of the header") }
        return false
      }
    }
  }

  private func parseProxyHeader() throws(ProxyHeaderError) -> ProxyHeader? {
    guard let input else { return nil }
    return try ProxyHeader.parse(input.readableBytes)
  }

  /// Continues as the connection that the header describes.
  private func take(_ header: ProxyHeader) -> Bool {
    consume(header.length)
    // In plain HTTP a request begins here.
    if certificate == nil, let input { self.input = worker.buffers.grow(input) }
    let client: SocketPeer
    if let source = header.source, let destination = header.destination {
      client = .address(source.description)
      adoptPassedClient(client, destination: destination.description)
    } else {
      client = callers.peer.uid.map(SocketPeer.user) ?? .address(peer)
    }
    guard let standing = worker.admit(client, isTLS: certificate != nil) else { return false }
    self.standing = standing
    return true
  }

  /// Does the TLS handshake with the client, until the deadline; false if it fails.
  private func shakeHands(_ certificate: ListenerCertificate) async -> Bool {
    guard await hasBegun() else { return false }
    guard isHandshake else {
      let isOldForm = firstByte.map(ClientHello.isOldForm) ?? false
      worker.noteHandshake(of: peer, isText ? .plainHTTP : isOldForm ? .oldForm : .notTLS, listener)
      if isText { await refuse(.request(.plainHTTP)) }
      return false
    }
    do throws(TLSFailure) {
      try await startTLS(certificate.context(at: worker.loop.now))
      return true
    } catch {
      if !isAborted { worker.noteHandshake(of: peer, error, listener) }
      return false
    }
  }

  /// Waits for the first byte. It is no error if a client sends none for as long as a handshake may take, or connects
  /// only to check whether the port is open.
  private func hasBegun() async -> Bool {
    while input == nil {
      switch receiveLittle() {
      case .transferred: break
      case .wouldBlock:
        if isOverdue || isAborted || isEnding { return false }
        await wakeup.wait()
      case .endOfStream, .failed: return false
      }
    }
    return true
  }

  /// Whether what has come begins a TLS handshake.
  private var isHandshake: Bool {
    firstByte.map { ClientHello.begins(with: $0, minimum: listener.tls?.minimum ?? .tls12) } ?? false
  }

  /// Whether what has come begins as a request does: with a letter.
  private var isText: Bool {
    firstByte.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0 & 0xDF) } ?? false
  }

  private var firstByte: UInt8? {
    guard let input, !input.isEmpty else { return nil }
    return input.readableBytes[0]
  }
}

extension ProxyProtocolSenders {
  /// Whether a connection of `peer` begins with a header.
  func includes(_ peer: SocketPeer) -> Bool {
    switch self {
    case .off: return false
    case .all: return true
    case .networks(let networks):
      guard case .address(let endpoint) = peer, let address = IPAddress(ofEndpoint: endpoint) else { return false }
      return networks.contains { $0.contains(address) }
    }
  }
}
