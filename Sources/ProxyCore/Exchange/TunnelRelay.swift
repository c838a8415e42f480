internal import Bytes
internal import Reactor

/// Both directions of a tunnel. Each ends by itself: when one side has no more to send, the other side is told that, and may
/// still send.
struct TunnelRelay {
  /// Which side's connection failed.
  enum Failure: Error {
    case client
    case upstream(String)
  }

  private(set) var fromClient: OneWayRelay
  private(set) var fromUpstream: OneWayRelay

  /// - Parameter fromClient: what the client has sent for the tunnel already, if anything; never an empty buffer.
  /// - Parameter fromUpstream: likewise.
  init(fromClient: ByteBuffer?, fromUpstream: ByteBuffer? = nil) {
    self.fromClient = OneWayRelay(waiting: fromClient)
    self.fromUpstream = OneWayRelay(waiting: fromUpstream)
  }

  /// Whether both sides have ended, and know it of each other.
  var isFinished: Bool { fromClient.isFinished && fromUpstream.isFinished }

  /// Moves what can be moved without waiting, both ways.
  mutating func step(
    client: ByteStream, upstream: ByteStream, _ pool: BufferPool
  ) throws(Failure) -> BodyRelay.Progress {
    // What the upstream sent before its connection was reset goes on; of what the client sent there is nothing to be had.
    let down = try stepFromUpstream(upstream, client, pool)
    if wasReset(upstream, isTold: fromClient.isFinished) {
      guard !fromUpstream.isFinished else { throw .upstream("the connection was reset") }
      return down
    }
    let up = try stepFromClient(client, upstream, pool)
    if wasReset(client, isTold: fromUpstream.isFinished) { throw .client }
    return BodyRelay.Progress(hasMoved: up.hasMoved || down.hasMoved, hasMore: up.hasMore || down.hasMore)
  }

  /// Whether a connection is gone although it was not told that the other side has ended.
  private func wasReset(_ stream: ByteStream, isTold: Bool) -> Bool { stream.hasFailed && !isTold }

  private mutating func stepFromClient(
    _ client: ByteStream, _ upstream: ByteStream, _ pool: BufferPool
  ) throws(Failure) -> BodyRelay.Progress {
    do throws(OneWayRelay.Failure) {
      // Most clients close without a word when they have been told that nothing more comes.
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
