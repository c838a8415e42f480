internal import Bytes
internal import Reactor
internal import SystemPackage

/// A connection as one task uses it: reads and writes wait for the peer, but for a limited time.
final class TimedStream {
  /// How an attempt to read ended.
  enum Reading {
    /// There is more in the buffer.
    case received
    /// The peer has sent everything, or the connection failed.
    case ended
    /// Nothing arrived in time.
    case timedOut
    /// ``interrupt()`` was called.
    case interrupted
  }

  private let stream: SocketStream
  private let loop: EventLoop
  private let wakeup: Wakeup
  private let timer = LoopTimer()
  private var isInterrupted = false
  private var isClosed = false
  private var isSending = false
  private static let mostLeftBehind = 65_536

  /// What the connection is doing while the task waits for the peer.
  private(set) var activity = Activity.working
  /// Called each time the task begins to wait for the peer.
  var waits: () -> Void = {}

  /// Takes over a connected socket. Call everything here on the loop's thread.
  init(_ socket: consuming Descriptor, on loop: EventLoop) throws(Errno) {
    stream = try SocketStream(socket, on: loop)
    // A request may have arrived before the connection was accepted: it is idle only after a read has found nothing.
    stream.isReadable = true
    self.loop = loop
    let wakeup = Wakeup(on: loop)
    self.wakeup = wakeup
    stream.observer = wakeup
    timer.action = { [unowned wakeup] in wakeup.wake() }
  }

  /// Makes interruptible reads return at once, from now on.
  func interrupt() {
    isInterrupted = true
    wakeup.wake()
  }

  /// Whether the kernel has reported something that the task has not read yet.
  var hasNews: Bool { stream.isReadable }

  /// Reads into the free space of `buffer`, which must not be full.
  /// - Parameters:
  ///   - activity: what the connection is doing while it waits.
  ///   - isInterruptible: whether ``interrupt()`` ends the wait.
  func receive(
    into buffer: ByteBuffer, until deadline: Instant, as activity: Activity, isInterruptible: Bool = false
  ) async -> Reading {
    while !isClosed {
      if stream.isReadable {
        switch stream.receive(into: buffer) {
        case .transferred: return .received
        case .endOfStream, .failed: return .ended
        case .wouldBlock: break
        }
      }
      if isInterrupted, isInterruptible { return .interrupted }
      if loop.now >= deadline { return .timedOut }
      await wait(until: deadline, as: activity)
    }
    return .ended
  }

  /// Sends all of `buffer` and then `content`, and returns whether that succeeded. The peer may pause for at most `pause`, and
  /// take at most `total`.
  ///
  /// The content goes through the buffer piece by piece: many slow readers of a long text share one copy of it.
  func send(_ buffer: ByteBuffer, then content: [UInt8] = [], pause: Duration, total: Duration) async -> Bool {
    isSending = true
    defer { isSending = false }
    var sent = Self.fill(buffer, from: content, 0)
    let begun = loop.now
    var moved = begun
    while !isClosed {
      if stream.isWritable {
        switch stream.send(from: buffer) {
        case .transferred:
          if buffer.isEmpty {
            sent = Self.fill(buffer, from: content, sent)
            if buffer.isEmpty { return true }
          }
          moved = loop.now
          continue
        case .endOfStream, .failed: return false
        case .wouldBlock: break
        }
      }
      let deadline = min(moved + pause, begun + total)
      if loop.now >= deadline {
        abort()
        return false
      }
      await wait(until: deadline, as: .transferring(begun: begun, moved: moved))
    }
    return false
  }

  /// Appends as much of `content` from `offset` on as fits; returns the offset of the rest.
  private static func fill(_ buffer: ByteBuffer, from content: [UInt8], _ offset: Int) -> Int {
    let end = min(content.count, offset + buffer.freeSpace)
    if offset < end { buffer.append(content.span.extracting(offset..<end)) }
    return end
  }

  /// Lets other tasks and sockets of the loop run: with a fast peer this connection would never wait.
  func pass() async {
    activity = .transferring(begun: loop.now, moved: loop.now)
    waits()
    await loop.yield()
    activity = .working
  }

  /// Waits until `moment`; returns whether the connection is still open.
  func pause(until moment: Instant) async -> Bool {
    let begun = loop.now
    while !isClosed, loop.now < moment { await wait(until: moment, as: .transferring(begun: begun, moved: begun)) }
    return !isClosed
  }

  private func wait(until deadline: Instant, as activity: Activity) async {
    self.activity = activity
    loop.set(timer, to: deadline)
    waits()
    // This connection may have been closed in favour of another one just now.
    if !isClosed { await wakeup.wait() }
    loop.set(timer, to: .never)
    self.activity = .working
  }

  /// Tells the peer that no more bytes will be sent.
  func finishSending() {
    guard !isClosed else { return }
    stream.finishSending()
  }

  /// Ends the connection, and the wait for its peer. Resets it in the middle of a response, or if the kernel would otherwise
  /// try for minutes to deliver a long rest.
  func abort() {
    end { if isSending || stream.undeliveredBytes > Self.mostLeftBehind { stream.abort() } else { stream.close() } }
    wakeup.wake()
  }

  /// Ends the connection.
  func close() {
    end { stream.close() }
  }

  private func end(_ body: () -> Void) {
    guard !isClosed else { return }
    isClosed = true
    stream.observer = nil
    body()
    loop.retire(timer)
  }
}
