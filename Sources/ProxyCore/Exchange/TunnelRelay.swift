internal import Bytes
internal import Reactor
internal import SystemPackage

/// Moves bytes unchanged from one connection to the other, as fast as the slower of them allows, and then the end.
///
/// At most one buffer is on the way, and none while there is nothing to move.
struct OneWayRelay {
  /// Why nothing more can be moved.
  enum Failure: Error {
    /// The source failed; a proper end is no failure.
    case source(StreamError)
    /// The sink takes no more.
    case sink(StreamError)
  }

  /// How many bytes the sink's kernel has taken.
  private(set) var bytesMoved: UInt64 = 0
  /// Whether the end has been forwarded.
  private(set) var isFinished = false

  // Bytes received that the sink has not taken; never empty.
  private var waiting: ByteBuffer?
  private var hasEnded = false

  // After this many reads in a row other tasks run.
  private static let readsInARow = 8

  /// - Parameter waiting: bytes received already, if any.
  init(waiting: ByteBuffer? = nil) {
    self.waiting = waiting
  }

  /// Whether the relay waits for the sink, rather than the source.
  var waitsForSink: Bool { waiting != nil }

  /// Moves what it can without waiting.
  ///
  /// - Parameter acceptsTruncation: whether an end of TLS without close_notify counts as a proper end here.
  mutating func step(
    from source: ByteStream, to sink: ByteStream, acceptsTruncation: Bool = false, _ pool: BufferPool
  ) throws(Failure) -> BodyRelay.Progress {
    var progress = BodyRelay.Progress(hasMoved: false, hasMore: false)
    guard !isFinished else { return progress }
    for _ in 0..<Self.readsInARow {
      guard try drain(to: sink, pool, &progress) else { return progress }
      guard !hasEnded else {
        sink.finishSending()
        isFinished = true
        progress.hasMoved = true
        return progress
      }
      guard source.isReadable, try receive(from: source, acceptsTruncation, pool) else { return progress }
      progress.hasMoved = true
    }
    progress.hasMore = true
    return progress
  }

  /// Gives back the buffer, and drops what it contains.
  mutating func giveBack(to pool: BufferPool) {
    pool.takeBack(&waiting)
  }

  /// Sends what waits; false if the sink does not take all of it now.
  private mutating func drain(
    to sink: ByteStream, _ pool: BufferPool, _ progress: inout BodyRelay.Progress
  ) throws(Failure) -> Bool {
    guard let buffer = waiting else { return true }
    // While memory is short, bytes for a slow side are kept in as little memory as they need.
    defer { if !buffer.isEmpty, pool.account.isNear { waiting = pool.fit(buffer) } }
    while !buffer.isEmpty {
      guard sink.isWritable else { return false }
      switch sink.send(from: buffer) {
      case .transferred(let count):
        bytesMoved += UInt64(count)
        progress.hasMoved = true
      case .wouldBlock: return false
      case .endOfStream: throw .sink(.system(.brokenPipe))
      case .failed(let error): throw .sink(error)
      }
    }
    giveBack(to: pool)
    return true
  }

  /// Receives what has arrived, or learns that the source has ended; false if there is nothing.
  private mutating func receive(
    from source: ByteStream, _ acceptsTruncation: Bool, _ pool: BufferPool
  ) throws(Failure) -> Bool {
    let buffer = pool.lendForContent()
    switch source.receive(into: buffer, limit: pool.receivedAtMost) {
    case .transferred:
      waiting = buffer
      return true
    case .wouldBlock:
      pool.giveBack(buffer)
      return false
    case .endOfStream:
      pool.giveBack(buffer)
      hasEnded = true
      return true
    case .failed(.truncated) where acceptsTruncation:
      pool.giveBack(buffer)
      hasEnded = true
      return true
    case .failed(let error):
      pool.giveBack(buffer)
      throw .source(error)
    }
  }
}

/// Both directions of a tunnel. Each ends by itself: when one side has no more to send, the other side learns that, and
/// may still send.
struct TunnelRelay {
  /// Which side's connection failed.
  enum Failure: Error {
    case client
    case upstream(String)
  }

  private(set) var fromClient: OneWayRelay
  private(set) var fromUpstream: OneWayRelay

  /// - Parameter fromClient: bytes that the client has sent for the tunnel already, if any; never an empty buffer.
  /// - Parameter fromUpstream: likewise.
  init(fromClient: ByteBuffer?, fromUpstream: ByteBuffer? = nil) {
    self.fromClient = OneWayRelay(waiting: fromClient)
    self.fromUpstream = OneWayRelay(waiting: fromUpstream)
  }

  /// Whether both sides have ended, and the end of each was forwarded to the other.
  var isFinished: Bool { fromClient.isFinished && fromUpstream.isFinished }

  /// Moves what it can without waiting, in both directions.
  mutating func step(
    client: ByteStream, upstream: ByteStream, _ pool: BufferPool
  ) throws(Failure) -> BodyRelay.Progress {
    // Bytes that the upstream sent before its connection was reset are still forwarded; the client's cannot be.
    let down = try stepFromUpstream(upstream, client, pool)
    if wasReset(upstream, isTold: fromClient.isFinished) {
      guard !fromUpstream.isFinished else { throw .upstream("the connection was reset") }
      return down
    }
    let up = try stepFromClient(client, upstream, pool)
    if wasReset(client, isTold: fromUpstream.isFinished) { throw .client }
    return BodyRelay.Progress(hasMoved: up.hasMoved || down.hasMoved, hasMore: up.hasMore || down.hasMore)
  }

  /// Whether a connection is gone although it was not told that the other side had ended.
  private func wasReset(_ stream: ByteStream, isTold: Bool) -> Bool { stream.hasFailed && !isTold }

  private mutating func stepFromClient(
    _ client: ByteStream, _ upstream: ByteStream, _ pool: BufferPool
  ) throws(Failure) -> BodyRelay.Progress {
    do throws(OneWayRelay.Failure) {
      // Most clients close without close_notify once they know that nothing more comes.
      return try fromClient.step(from: client, to: upstream, acceptsTruncation: fromUpstream.isFinished, pool)
    } catch {
      switch error {
      case .source: throw .client
      case .sink(let reason): throw .upstream(reason.description)
      }
    }
  }

  private mutating func stepFromUpstream(
    _ upstream: ByteStream, _ client: ByteStream, _ pool: BufferPool
  ) throws(Failure) -> BodyRelay.Progress {
    do throws(OneWayRelay.Failure) {
      return try fromUpstream.step(from: upstream, to: client, pool)
    } catch {
      switch error {
      case .source(let reason): throw .upstream(reason.description)
      case .sink: throw .client
      }
    }
  }

  /// Gives back what was borrowed.
  mutating func giveBack(to pool: BufferPool) {
    fromClient.giveBack(to: pool)
    fromUpstream.giveBack(to: pool)
  }
}
