internal import Bytes
internal import Configuration
internal import HTTPWire
internal import Reactor

extension Exchange {
  // MARK: The offer

  /// Notes to which protocols the upstream may switch: those that the client offers and the route allows. Without any,
  /// the request is forwarded as an ordinary one (RFC 9110 section 7.8).
  func offerUpgrade(_ route: ProxyRoute) {
    // After a body, the beginning of the new protocol could not be told; "close" says that nothing will follow.
    guard head.hasUpgrade, head.wantsKeepAlive, head.framing == .none || head.framing == .length(0),
      route.policy.requests.upgrade != .off, let input = connection.input
    else { return }
    offeredProtocols = head.offeredProtocols(input.readableBytes).filter {
      route.policy.requests.upgrade.allows(text(of: $0))
    }
  }

  /// Whether the client has sent something after a request with Upgrade, before its response. If the protocol does not
  /// change, that may have been meant for the other protocol, and is never read as a request (RFC 9931).
  var isAheadOfUpgrade: Bool {
    guard head.hasUpgrade else { return false }
    if let input = connection.input, input.count > head.length { return true }
    if upload.decoder.isFinished, !upload.input.isEmpty { return true }
    return connection.stream.isReadable && connection.stream.hasUnexpectedInput()
  }

  // MARK: The switch

  /// Whether the upstream's response switches to another protocol.
  var hasSwitched: Bool { answerHead.status == 101 }

  /// Rejects a 101 that was not requested, or came before the request was sent completely.
  func checkSwitch(_ route: ProxyRoute) throws(ExchangeError) {
    guard !offeredProtocols.isEmpty, upload.isFinished, let request = connection.input,
      let answer = attempt.answerInput
    else { throw .response(.unaskedUpgrade, route) }
    let chosen = answerHead.chosenProtocols(answer.readableBytes)
    guard !chosen.isEmpty, chosen.allSatisfy({ wasOffered($0, answer, request) }) else {
      throw .response(.unofferedUpgrade, route)
    }
  }

  private func wasOffered(_ chosen: ByteRange, _ answer: ByteBuffer, _ request: ByteBuffer) -> Bool {
    offeredProtocols.contains { answer.readableBytes.isSameProtocol(chosen, as: $0, in: request.readableBytes) }
  }

  /// Tells the client that the protocol has changed. Bytes that either side sent after its head belong to the new one.
  func switchProtocols(_ route: ProxyRoute) async throws(ExchangeError) {
    guard let input = attempt.answerInput, let outbound = holdings.answerOutput else { return }
    try writeSwitch(outbound, input, route)
    outcome.clock.switched = worker.loop.now - outcome.clock.start
    outcome.status = 101
    outcome.hasBegunAnswer = true
    // It no longer counts as a request under way, and may last for days.
    leavePlace()
    endExpectingMemory()
    input.consume(answerHead.length)
    holdings.tunnel = TunnelRelay(fromClient: takeTunnelBytes(), fromUpstream: input.isEmpty ? nil : input)
    if input.isEmpty { buffers.giveBack(input) }
    attempt.answerInput = nil
    guard await send(outbound) else { throw .clientGone }
    buffers.takeBack(&holdings.answerOutput)
    endUpload()
  }

  private func writeSwitch(_ outbound: ByteBuffer, _ input: ByteBuffer, _ route: ProxyRoute) throws(ExchangeError) {
    let bytes = input.readableBytes
    let chosen = answerHead.chosenProtocols(bytes)
    noteTunnelRequest(protocols: Self.text(of: chosen, in: bytes))
    var writer = HeadWriter(outbound)
    writer.statusLine(answerHead.status, reason: bytes.extracting(answerHead.reason.range))
    writer.forwardFields(of: answerHead, bytes)
    writer.upgrade(to: chosen, bytes)
    let pseudonym = viaName.bytes
    writer.via(answerHead.version, pseudonym.span)
    do throws(WireError) { try writer.end() } catch { throw .response(error, route) }
  }

  private func noteTunnelRequest(protocols: String) {
    let target = receivedTarget
    outcome.tunnelRequest = TunnelRequest(
      method: text(of: head.method), host: (target.authority?.host ?? head.host).map { text(of: $0) } ?? "",
      path: text(of: target.path), protocols: protocols, requestID: requestID)
  }

  private static func text(of protocols: [ByteRange], in bytes: Span<UInt8>) -> String {
    var text = ""
    for range in protocols {
      if !text.isEmpty { text += "," }
      for index in range.range { text.unicodeScalars.append(Unicode.Scalar(bytes[index])) }
    }
    return text
  }
}
