internal import Bytes
internal import HTTPWire
internal import Reactor

/// Moves a message's body from one connection to the other, framed again, as fast as the slower of them allows.
///
/// At most one buffer of the body is on the way: when the sink takes nothing, nothing is read from the source. One
/// relay serves one message after the other.
///
/// The relay owns its buffers from ``begin(_:input:output:framing:passesTrailers:limit:kept:)`` on, and may replace
/// them by smaller ones when memory is short; see ``economize()``.
final class BodyRelay {
  /// Why the body cannot be moved on.
  enum Failure: Error {
    /// The source ended, or failed, before the body was complete.
    case source(String)
    /// The sink takes no more.
    case sink(String)
    /// The source's framing is wrong.
    case framing(WireError)
    /// The body exceeds its limit.
    case tooLarge
  }

  /// What a step did.
  struct Progress {
    /// Whether anything was received or sent.
    var hasMoved: Bool
    /// Whether it stopped only to let other tasks run.
    var hasMore: Bool
  }

  /// What was received and not moved on; at the end, the rest in it belongs to the next message.
  private(set) var input: ByteBuffer
  /// Framed bytes that wait for the sink; the caller that begins the relay has put the message's head there.
  private(set) var output: ByteBuffer
  private(set) var decoder = BodyDecoder(.none)
  /// Whether there is a message.
  private(set) var isBegun = false
  /// How many bytes the sink's kernel has taken, head and framing included.
  private(set) var bytesSent: UInt64 = 0
  /// The body received so far, to send it again; nil if that is not wanted.
  private(set) var kept: KeptContent?

  private let buffers: BufferPool
  private var framing = BodyFraming.none
  private var passesTrailers = false
  private var limit = UInt64.max
  // Bytes at the front of `input` that need no other framing: sent from where they are.
  private var direct = 0
  private var isEnded = false

  // A piece up to this size is copied behind the head, or behind other waiting bytes, and goes out with them.
  private static let copiedAtMost = 16 * 1024
  // After this many reads in a row other tasks run.
  private static let readsInARow = 8

  /// A relay without a message, which borrows its buffers from `buffers`.
  init(_ buffers: BufferPool) {
    self.buffers = buffers
    input = buffers.empty
    output = buffers.empty
  }

  /// Begins with the body of a message.
  ///
  /// - Parameter received: the framing in which the body arrives.
  /// - Parameter input: where the body is received; bytes in it already are the beginning of the body.
  /// - Parameter framing: the framing in which the body is sent on.
  /// - Parameter limit: the most bytes that the body may have; nothing beyond them is sent on.
  /// - Parameter kept: where the body is kept so that it can be sent once more.
  func begin(
    _ received: BodyFraming, input: consuming ByteBuffer, output: consuming ByteBuffer, framing: BodyFraming,
    passesTrailers: Bool,
    limit: UInt64 = .max, kept: KeptContent? = nil
  ) {
    decoder.restart(received)
    self.input = input
    self.output = output
    self.framing = framing
    self.passesTrailers = passesTrailers
    self.limit = limit
    self.kept = kept
    isBegun = true
    bytesSent = 0
    direct = 0
    isEnded = false
  }

  /// Ends the message; the caller has taken or given back the buffers.
  func end() {
    guard isBegun else { return }
    if kept != nil {
      kept?.giveBack()
      kept = nil
    }
    if input.capacity > 0 { input = buffers.empty }
    if output.capacity > 0 { output = buffers.empty }
    decoder.restart(.none)
    bytesSent = 0
    direct = 0
    isEnded = false
    isBegun = false
  }

  /// Drops what the sink has not taken, and ends the message. Returns the bytes after the message, in their buffer; nil
  /// if there are none.
  func endBeforeRest() -> ByteBuffer? {
    abandon()
    giveBackOutput()
    let rest = input.isEmpty ? nil : input
    if rest == nil { buffers.takeBack(&input) }
    end()
    return rest
  }

  /// Whether the whole body, with its end, is with the sink's kernel.
  var isFinished: Bool { isEnded && output.isEmpty }

  /// Whether the relay waits for the sink, rather than the source.
  var waitsForSink: Bool { !output.isEmpty || direct > 0 }

  /// Moves what it can without waiting.
  func step(from source: ByteStream, to sink: ByteStream) throws(Failure) -> Progress {
    var hasMoved = false
    for _ in 0..<Self.readsInARow {
      try frame()
      while waitsForSink {
        guard sink.isWritable, try send(to: sink) else { return Progress(hasMoved: hasMoved, hasMore: false) }
        hasMoved = true
        try frame()
      }
      guard !isFinished, source.isReadable, try receive(from: source) else {
        return Progress(hasMoved: hasMoved, hasMore: false)
      }
      hasMoved = true
    }
    return Progress(hasMoved: true, hasMore: true)
  }

  /// Drops what the sink has not taken: `input`, where the next message begins, must contain nothing of this body.
  func abandon() {
    input.consume(direct)
    direct = 0
    output.removeAll()
  }

  /// Replaces the output's buffer, which has no room for a head, by a larger one; false if there is none.
  func growOutput() -> Bool {
    guard output.capacity < buffers.headCapacity else { return false }
    output = buffers.grow(output)
    return true
  }

  // MARK: Sending again

  /// Whether all that was received of the body is still here.
  var canRewind: Bool {
    guard let kept else { return framing == .none || framing == .length(0) }
    return kept.isWhole && kept.count + input.count - direct <= kept.capacity
  }

  /// Begins the body again, if ``canRewind``: puts the bytes received so far in front. Drops what waits for the sink.
  func rewind() {
    abandon()
    output = buffers.grow(output)
    if kept?.count ?? 0 > 0 {
      let (received, anew) = (input, buffers.lend())
      kept?.move(to: anew)
      anew.append(received.readableBytes)
      input = anew
      buffers.giveBack(received)
    }
    decoder.restart(decoder.framing)
    bytesSent = 0
    isEnded = false
  }

  /// Gives back the buffers that are no longer needed, when the whole body was sent.
  func settle() {
    guard isFinished else { return }
    giveBackOutput()
    if input.isEmpty { buffers.takeBack(&input) }
  }

  /// Before a wait while memory is short: gives back empty buffers, and moves the rest into a buffer that just fits.
  /// Later bytes of the body are received into a smaller buffer.
  func economize() {
    guard isBegun else { return }
    if output.isEmpty { giveBackOutput() } else { output = buffers.fit(output) }
    if input.isEmpty { buffers.takeBack(&input) } else { input = buffers.fit(input) }
  }

  /// Before a wait for the sink: the output's buffer is empty if the body is sent directly.
  func giveBackEmptyOutput() {
    if output.isEmpty { giveBackOutput() }
  }

  /// Gives back both buffers, and drops what they contain.
  func giveBackBuffers() {
    giveBackOutput()
    buffers.takeBack(&input)
  }

  /// Gives back the buffer for the sink.
  func giveBackOutput() {
    buffers.takeBack(&output)
  }

  // MARK: Framing

  /// Moves `input` to `output` in the new framing, or marks it to be sent directly.
  private func frame() throws(Failure) {
    guard !isEnded else { return }
    do throws(WireError) {
      while direct == 0, !decoder.isFinished, !input.isEmpty, try take() > 0 {}
    } catch {
      throw .framing(error)
    }
    guard decoder.payloadBytes <= limit else { throw .tooLarge }
    if direct > 0, !output.isEmpty, direct <= min(output.freeSpace, Self.copiedAtMost) {
      let input = input
      output.append(input.bytes(input.start..<input.start + direct))
      input.consume(direct)
      direct = 0
    }
    if decoder.isFinished, direct == 0 { isEnded = endContent() }
  }

  /// Consumes from `input`; returns how much, 0 when there is no room for more.
  private func take() throws(WireError) -> Int {
    let input = input
    if output.capacity == 0, framing == .chunked || decoder.framing == .chunked { output = buffers.lendForContent() }
    let output = output
    if framing == .chunked {
      let consumed = try ChunkedEncoder.append(from: &decoder, input.readableBytes, to: output)
      kept?.keep(input.readableBytes.extracting(first: consumed))
      input.consume(consumed)
      return consumed
    }
    guard decoder.framing == .chunked else {
      direct = try decoder.step(input.readableBytes).consumed
      kept?.keep(input.readableBytes.extracting(first: direct))
      return direct
    }
    let consumed = try decoder.gather(input.readableBytes, into: output)
    input.consume(consumed)
    return consumed
  }

  /// Writes the end of the body in this framing; false while there is no room for it.
  private func endContent() -> Bool {
    guard framing == .chunked else { return true }
    if writeEnd() { return true }
    // Trailers may be as long as a head, and the buffer one for the body alone.
    guard output.capacity < buffers.headCapacity else { return false }
    output = buffers.grow(output)
    return writeEnd()
  }

  private func writeEnd() -> Bool {
    passesTrailers ? ChunkedEncoder.finish(trailersOf: decoder, to: output) : ChunkedEncoder.finish(to: output)
  }

  private func send(to sink: ByteStream) throws(Failure) -> Bool {
    let isDirect = output.isEmpty
    switch isDirect ? sink.send(from: input, limit: direct) : sink.send(from: output) {
    case .transferred(let count):
      if isDirect { direct -= count }
      bytesSent += UInt64(count)
      return true
    case .wouldBlock:
      return false
    case .endOfStream:
      throw .sink("closed")
    case .failed(let error):
      throw .sink(error.description)
    }
  }

  private static let endedEarly = "it ended in the middle of the body"
  private static let maybeTruncated =
    "\(StreamError.truncated), and the body has no length: it may have been cut off (tls_truncation)"

  private func receive(from source: ByteStream) throws(Failure) -> Bool {
    if input.capacity == 0 { input = buffers.lendForContent() }
    switch source.receive(into: input, limit: buffers.receivedAtMost) {
    case .transferred:
      return true
    case .wouldBlock:
      return false
    case .endOfStream:
      do {
        try decoder.atEndOfInput()
        return true
      } catch {
        throw .source(Self.endedEarly)
      }
    case .failed(.truncated):
      // The way in which the connection ends matters only if its end is the end of the body.
      throw .source(decoder.framing == .untilClose ? Self.maybeTruncated : Self.endedEarly)
    case .failed(let error):
      throw .source(error.description)
    }
  }
}

/// The body of a request as received, including framing, as long as it is small enough to be kept, so that the request
/// can be sent once more.
///
/// It holds a buffer only while it keeps something.
struct KeptContent {
  private let pool: BufferPool
  private let limit: Int
  private var buffer: ByteBuffer?
  /// Whether no received byte is missing.
  private(set) var isWhole = true

  /// - Parameter limit: how many bytes are kept; if there are more, none are.
  init(_ pool: BufferPool, limit: Int) {
    self.pool = pool
    self.limit = min(limit, pool.bufferCapacity)
  }

  /// How many bytes there could be.
  var capacity: Int { pool.bufferCapacity }

  /// How many bytes are kept.
  var count: Int { buffer?.count ?? 0 }

  /// `bytes` were received.
  mutating func keep(_ bytes: Span<UInt8>) {
    guard isWhole, !bytes.isEmpty else { return }
    guard count + bytes.count <= limit else {
      isWhole = false
      return giveBack()
    }
    let buffer = buffer ?? pool.lend()
    self.buffer = buffer
    buffer.append(bytes)
  }

  /// Appends everything to `other`, from which it will be received, and kept, once more.
  mutating func move(to other: ByteBuffer) {
    guard let buffer else { return }
    other.append(buffer.readableBytes)
    giveBack()
  }

  /// Gives the buffer back.
  mutating func giveBack() {
    pool.takeBack(&buffer)
  }
}
