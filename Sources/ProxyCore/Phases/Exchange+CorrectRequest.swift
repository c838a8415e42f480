internal import Bytes
internal import Encodings
internal import HTTPWire
internal import ProxyProtocol
internal import Secrets

// Handles requests that violate HTTP in ways that every program reads alike. Their head is rewritten in the
// connection's buffer and parsed again by the strict parser, so that everything after it sees a well-formed request.
// None of this runs for a request that the parser accepts.
extension Exchange {
  /// Corrects the head that the parser rejected with `error`, and waits for more of the head if it needs more. Then the
  /// parser starts again.
  ///
  /// - Throws: `error`, if it is about something that is not corrected, or was corrected before.
  @inline(never) func correctHead(after error: WireError) async throws(ExchangeError) {
    let isFirst = connection.requests == 1
    if isFirst, let input = connection.input, ProxyHeader.isAtStart(of: input.readableBytes) {
      throw .request(.proxyHeader)
    }
    switch error {
    case .invalidTargetByte: try await encodeTarget()
    case .foldedField: try await unfoldFields()
    case .bareLineFeed: try await endLines()
    case .userinfo: try correctHost()
    default: throw .request(error)
    }
  }

  /// Corrects a target with bytes that are not ASCII.
  private func encodeTarget() async throws(ExchangeError) {
    var searched = 0
    while true {
      guard let input = connection.input else { throw .request(.invalidTargetByte) }
      let bytes = input.readableBytes
      let start = Int(head.method.end) + 1
      // The target of CONNECT is only a host.
      guard !bytes.extracting(head.method.range).isConnect else { throw .request(.invalidHost) }
      // Anything else is neither a path nor a URL, and perhaps not HTTP at all.
      guard bytes[start] == UInt8(ascii: "/") || bytes[start] | 0x20 == UInt8(ascii: "h") else {
        throw .request(.invalidTargetByte)
      }
      var end = max(start, searched)
      // Only bytes that are not ASCII are corrected; any other byte that ends a target ends this one too.
      while end < bytes.count, bytes[end] > 0x20, bytes[end] != 0x7f { end += 1 }
      if end < bytes.count {
        guard bytes[end] == 0x20 else { throw .request(.invalidTargetByte) }
        return try replaceTarget(start..<end, after: .invalidTargetByte)
      }
      guard end - start <= generation.headLimits.requestLine else { throw .request(.requestLineTooLong) }
      searched = end
      try await receiveMore()
    }
  }

  /// Removes user and password from a Host that repeats the whole authority of the target, as Python's urllib writes
  /// it. Those in the target are another correction; any other Host with a user name is rejected.
  private func correctHost() throws(ExchangeError) {
    guard let input = connection.input, let value = head.first(.host)?.value.range else { throw .request(.userinfo) }
    let bytes = input.readableBytes
    guard
      let length = NormalisedTarget.repeatedUserinfo(
        host: bytes.extracting(value), of: bytes.extracting(head.target.range))
    else { throw .request(.userinfo) }
    replaceInput(value.lowerBound..<value.lowerBound + length, with: [])
  }

  /// Joins fields that are folded over several lines.
  private func unfoldFields() async throws(ExchangeError) {
    guard let input = connection.input, let field = head.fields.last,
      NormalisedFields.mayFold(input.readableBytes, field.name)
    else { throw .request(.foldedField) }
    try await correctFields(.foldedField, after: .foldedField, NormalisedFields.unfolded)
  }

  /// Corrects lines of a CONNECT that end with LF alone, as Apache Axis sends them. Nothing of this head is forwarded,
  /// and it announces no body (see ``readRequest()``), so that no other program can read it in another way.
  private func endLines() async throws(ExchangeError) {
    guard let input = connection.input, isConnect(input) else { throw .request(.bareLineFeed) }
    try await correctFields(.bareLineFeed, after: .bareLineFeed, NormalisedFields.withLineEnds)
  }

  /// Whether the input begins with the request line of a CONNECT, with its CR LF.
  private func isConnect(_ input: ByteBuffer) -> Bool {
    let bytes = input.readableBytes
    let methodEnd = head.leading + 7
    guard bytes.count > methodEnd, bytes[methodEnd] == UInt8(ascii: " "),
      bytes.extracting(head.leading..<methodEnd).isConnect
    else { return false }
    var position = methodEnd
    while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { position += 1 }
    return position < bytes.count && bytes[position - 1] == UInt8(ascii: "\r")
  }

  /// Waits for the end of the head, and replaces its field lines by the result of `correct`.
  ///
  /// - Throws: `error` if there is nothing to correct.
  private func correctFields(
    _ kind: Normalisation, after error: WireError,
    _ correct: (Span<UInt8>, Range<Int>) throws(WireError) -> [UInt8]
  ) async throws(ExchangeError) {
    guard !request.normalised.contains(kind) else { throw .request(error) }
    var searched = 0
    while true {
      guard let input = connection.input else { throw .request(error) }
      let bytes = input.readableBytes
      guard let range = NormalisedFields.bounds(of: bytes, leading: head.leading, searched: searched) else {
        guard bytes.count < generation.headLimits.bytes else { throw .request(.headTooLarge) }
        searched = bytes.count
        try await receiveMore()
        continue
      }
      let corrected: [UInt8]
      do throws(WireError) { corrected = try correct(bytes, range) } catch { throw .request(error) }
      request.normalised.insert(kind)
      return replaceInput(range, with: corrected)
    }
  }

  /// Corrects a target that `error` is about, or that has bytes to encode, and parses the whole head again.
  @inline(never) func correctTarget(after error: WireError?) throws(ExchangeError) {
    guard head.methodKind != .connect else { throw .request(error ?? .invalidTargetByte) }
    try replaceTarget(head.target.range, after: error ?? .invalidTargetByte)
    // Until it is parsed again, the log and the response must not use the head.
    request.hasHead = false
    request.target = nil
    guard let input = connection.input else { return }
    var parser = RequestHeadParser(limits: generation.headLimits)
    do throws(WireError) {
      // The head was complete before, and only its target has changed.
      guard try parser.parse(input.readableBytes, into: &head) else { throw .headTooLarge }
      request.hasHead = true
      request.target = try RequestTarget.parse(input.readableBytes, target: head.target, method: head.methodKind)
    } catch {
      throw .request(error)
    }
  }

  /// Replaces the target at `range` by a corrected one.
  ///
  /// - Throws: `error` if there is nothing to correct.
  private func replaceTarget(_ range: Range<Int>, after error: WireError) throws(ExchangeError) {
    guard let input = connection.input else { throw .request(error) }
    let corrected: NormalisedTarget?
    do throws(WireError) {
      corrected = try NormalisedTarget(input.readableBytes.extracting(range))
    } catch {
      throw .request(error)
    }
    // If this is the second time, the correction did not help.
    guard let corrected, !corrected.changes.isEmpty, request.normalised.isDisjoint(with: corrected.changes) else {
      throw .request(error)
    }
    request.normalised.formUnion(corrected.changes)
    if let userinfo = corrected.userinfo {
      targetCredentials = Self.basicLine(input.readableBytes.extracting(range).extracting(userinfo))
    }
    replaceInput(range, with: corrected.bytes)
  }

  /// Replaces the bytes at `range` of the input by `replacement`.
  private func replaceInput(_ range: Range<Int>, with replacement: [UInt8]) {
    guard let input = connection.input else { return }
    let bytes = input.readableBytes
    let output = buffers.lend(fitting: bytes.count - range.count + replacement.count)
    output.append(bytes.extracting(0..<range.lowerBound))
    output.append(replacement.span)
    output.append(bytes.extracting(range.upperBound..<bytes.count))
    buffers.giveBack(input)
    connection.input = buffers.extend(output)
  }

  /// The line of Basic credentials (RFC 7617) for the user and password of a URL, which are percent-encoded there;
  /// without a password, the password is empty. Nil if there is neither.
  private static func basicLine(_ userinfo: Span<UInt8>) -> Secret? {
    guard !userinfo.isEmpty else { return nil }
    var hasColon = false
    var length = 0
    for offset in userinfo.indices {
      if userinfo[offset] == UInt8(ascii: ":") { hasColon = true }
      length += userinfo[offset] == UInt8(ascii: "%") ? -1 : 1
    }
    if !hasColon { length += 1 }
    let pair = Secret(count: length) { pair in
      var (source, target) = (0, 0)
      while source < userinfo.count {
        var byte = userinfo[source]
        // The target's parser has checked that two digits follow.
        if byte == UInt8(ascii: "%"), source + 2 < userinfo.count, let high = userinfo[source + 1].hexValue,
          let low = userinfo[source + 2].hexValue
        {
          byte = high << 4 | low
          source += 2
        }
        pair[target] = byte
        source += 1
        target += 1
      }
      if !hasColon { pair[target] = UInt8(ascii: ":") }
    }
    let prefix = Array("Authorization: Basic ".utf8)
    return Secret(count: prefix.count + Base64.encodedCount(length)) { line in
      for (offset, byte) in prefix.enumerated() { line[offset] = byte }
      var position = prefix.count
      pair.withBytes { bytes in
        Base64.standard.encode(bytes, isPadded: true) {
          line[position] = $0
          position += 1
        }
      }
    }
  }
}

extension Span<UInt8> {
  fileprivate var isConnect: Bool {
    let name = Array("CONNECT".utf8)
    return count == name.count && name.indices.allSatisfy { self[$0] == name[$0] }
  }
}
