internal import Bytes
internal import Reactor
internal import SystemPackage

/// A connection as one task uses it: reading and writing wait for the peer, but not forever.
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
  private var isClosed = false
  private var isSending = false
  private static let mostLeftBehind = 65_536

  /// What happens while the task waits for the peer.
  private(set) var activity = Activity.working
  /// Called each time the task begins to wait for the peer.
  var waits: () -> Void = {}

  /// Takes over a connected socket. On the loop's thread, as everything here.
  init(_ socket: consuming Descriptor, on loop: EventLoop) throws(Errno) {
    stream = try SocketStream(socket, on: loop)
    // A request may have arrived before the connection was accepted: only after a look at the socket is it idle.
    stream.isReadable = true
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

  /// Whether a report of the kernel has arrived that the task has yet to look at.
  var hasNews: Bool { stream.isReadable }

  /// Reads into the free space of `buffer`, of which there must be some.
  /// - Parameters:
  ///   - activity: what the connection does while it waits.
  ///   - isInterruptible: whether ``interrupt()`` ends the waiting.
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

  /// Sends all of `buffer` and then `content`; whether that succeeded. The peer may pause for `pause` at most, and take
  /// `total` in all.
  ///
  /// The content goes through the buffer piece by piece: many slow readers of one long text hold it once.
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

  /// Appends as much of `content` from `offset` on as there is room for; returns the offset of the rest.
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

  /// Lets time pass; whether the connection is still there then.
  func pause(until moment: Instant) async -> Bool {
    let begun = loop.now
    while !isClosed, loop.now < moment { await wait(until: moment, as: .transferring(begun: begun, moved: begun)) }
    return !isClosed
  }

  private func wait(until deadline: Instant, as activity: Activity) async {
    self.activity = activity
    loop.set(timer, to: deadline)
    waits()
    // This connection may have given way just now.
    if !isClosed { await wakeup.wait() }
    loop.set(timer, to: .never)
    self.activity = .working
  }

  /// Tells the peer that nothing more will be sent.
  func finishSending() {
    guard !isClosed else { return }
    stream.finishSending()
  }

  /// Ends the connection, and the waiting for its peer: with a reset in the middle of a response, and where the kernel would
  /// keep much of one and try to deliver it for minutes.
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
