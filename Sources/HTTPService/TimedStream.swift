internal import Bytes
internal import Reactor
internal import SystemPackage

/// A connection as one task uses it: reading and writing wait for the peer, but not for ever.
final class TimedStream {
  /// How an attempt to read ended.
  enum Reading {
    /// There is more in the buffer.
    case received
    /// The peer has sent everything, or the connection failed.
    case ended
    /// Nothing came in time.
    case timedOut
    /// ``interrupt()`` was called.
    case interrupted
  }

  private let stream: SocketStream
  private let loop: EventLoop
  private let wakeup: Wakeup
  private let timer = LoopTimer()
  private var isInterrupted = false

  /// Takes over a connected socket. On the loop's thread, as everything here.
  init(_ socket: consuming Descriptor, on loop: EventLoop) throws(Errno) {
    stream = try SocketStream(socket, on: loop)
    self.loop = loop
    let wakeup = Wakeup(on: loop)
    self.wakeup = wakeup
    stream.observer = wakeup
    timer.action = { [unowned wakeup] in wakeup.wake() }
  }

  /// Lets reads that may be interrupted return at once, from now on.
  func interrupt() {
    isInterrupted = true
    wakeup.wake()
  }

  /// Reads into the free space of `buffer`, of which there must be some.
  /// - Parameter isInterruptible: whether ``interrupt()`` ends the waiting.
  func receive(into buffer: ByteBuffer, until deadline: Instant, isInterruptible: Bool = false) async -> Reading {
    loop.set(timer, to: deadline)
    defer { loop.set(timer, to: .never) }
    while true {
      if stream.isReadable {
        switch stream.receive(into: buffer) {
        case .transferred: return .received
        case .endOfStream, .failed: return .ended
        case .wouldBlock: break
        }
      }
      if isInterrupted, isInterruptible { return .interrupted }
      if loop.now >= deadline { return .timedOut }
      await wakeup.wait()
    }
  }

  /// Sends all of `buffer`; whether that succeeded. The peer may pause for `pause` at most.
  func send(_ buffer: ByteBuffer, pause: Duration) async -> Bool {
    var deadline = loop.now + pause
    defer { loop.set(timer, to: .never) }
    while !buffer.isEmpty {
      if stream.isWritable {
        switch stream.send(from: buffer) {
        case .transferred:
          deadline = loop.now + pause
          continue
        case .endOfStream, .failed: return false
        case .wouldBlock: break
        }
      }
      if loop.now >= deadline { return false }
      loop.set(timer, to: deadline)
      await wakeup.wait()
    }
    return true
  }

  /// Tells the peer that nothing more will be sent.
  func finishSending() {
    stream.finishSending()
  }

  /// Ends the connection.
  func close() {
    stream.observer = nil
    stream.close()
    loop.retire(timer)
  }
}
