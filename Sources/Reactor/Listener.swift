internal import CLinux
internal import Glibc
public import SystemPackage

/// A listening socket of one event loop. Several loops may listen on the same port, or accept from one queue; the kernel
/// spreads the connections over them.
public final class Listener: Watch {
  /// The bound address: `host:port`, or `unix:` and a path.
  public let address: String
  /// The bound port; 0 for a Unix socket.
  public let port: UInt16

  /// Called when no connection can be accepted, most likely because the process or the machine lacks a descriptor or memory;
  /// accepting resumes a moment later.
  public var onExhaustion: (Errno) -> Void = { _ in }

  private let loop: EventLoop
  private var socket: ListeningSocket?
  private let isUnix: Bool
  private let isInherited: Bool
  private let sharesQueue: Bool
  private let acceptsInARow: Int
  private let accepted: (consuming Descriptor, SocketPeer) -> Void
  private var isStarted = false
  // Two independent reasons not to accept.
  private var isPaused = false
  private var isExhausted = false
  private let retry = LoopTimer()
  private var failuresInARow = 0

  private static let retryDelay = Duration.milliseconds(100)
  private static let failuresInARowLimit = 32

  /// Accepts from `socket` on the thread of `loop`, once it is started.
  ///
  /// - Parameter sharesQueue: whether other loops accept from the same queue.
  /// - Parameter acceptsInARow: after this many connections, open connections are served first.
  /// - Parameter accepted: receives each connection, non-blocking, and its peer.
  public init(
    _ socket: consuming ListeningSocket, sharesQueue: Bool = false, acceptsInARow: Int = 32, on loop: EventLoop,
    accepted: @escaping (consuming Descriptor, SocketPeer) -> Void
  ) {
    address = socket.address
    port = socket.port
    isUnix = socket.isUnix
    isInherited = socket.isInherited
    self.sharesQueue = sharesQueue
    self.acceptsInARow = acceptsInARow
    self.loop = loop
    self.accepted = accepted
    self.socket = consume socket
    super.init()
    retry.action = { [unowned self] in
      isExhausted = false
      update()
    }
  }

  /// Binds `host` (a numeric address) and `port` (0: any free one) and accepts on the thread of `loop`, once it is started.
  ///
  /// - Parameter sharesPort: whether several listeners may bind the same port.
  /// - Parameter acceptsInARow: after this many connections, open connections are served first.
  /// - Parameter accepted: receives each connection, non-blocking, and its peer.
  public convenience init(
    host: String, port: UInt16, sharesPort: Bool, acceptsInARow: Int = 32, on loop: EventLoop,
    accepted: @escaping (consuming Descriptor, SocketPeer) -> Void
  ) throws(Errno) {
    self.init(
      try ListeningSocket(host: host, port: port, sharesPort: sharesPort), acceptsInARow: acceptsInARow, on: loop,
      accepted: accepted)
  }

  /// Throws the error of binding `host` and `port` without sharing them; leaves nothing bound.
  public static func checkAvailability(host: String, port: UInt16) throws(Errno) {
    let number = unsafe try Errno.check(clinux_listen(host, port, 1, 0))
    _ = Descriptor(owning: number)
  }

  /// Starts to accept. On the loop's thread only.
  public func start() throws(Errno) {
    guard let number = socket?.number else { return }
    try loop.register(self, descriptor: number, interest: interest)
    isStarted = true
  }

  /// Makes the kernel check future connections as in ``ListeningSocket/keepAlive(after:)``; nil turns this off.
  public func keepAlive(after silence: Duration?) {
    // On an error the setting stays: the same option was set when the socket was made.
    try? socket?.keepAlive(after: silence)
  }

  /// Pauses accepting; meanwhile the kernel queues connections.
  public func pause() {
    isPaused = true
    update()
  }

  /// Resumes after ``pause()``.
  public func resume() {
    isPaused = false
    update()
  }

  private func update() {
    let accepts = !isPaused && !isExhausted
    guard isStarted, let number = socket?.number, accepts != (registration != nil) else { return }
    guard accepts else { return loop.remove(self) }
    do {
      try loop.register(self, descriptor: number, interest: interest)
    } catch {
      rest(after: error)
    }
  }

  /// Stops accepting for a moment: retrying at once would fail again in a busy loop.
  private func rest(after errno: Errno) {
    isExhausted = true
    loop.remove(self)
    loop.set(retry, to: loop.now + Self.retryDelay)
    onExhaustion(errno)
  }

  /// Stops accepting for good and frees the port, or removes the socket's file.
  ///
  /// - Parameter isPassedOn: whether another process accepts from the same socket, which keeps its port and file then, and the
  ///   connections that wait in it.
  public func close(isPassedOn: Bool = false) {
    loop.retire(retry)
    loop.remove(self)
    if isPassedOn { socket?.passOnFile() }
    socket = nil
  }

  /// What another process needs to accept from the same socket; nil when it is closed.
  public func copy() throws(Errno) -> ListenerCopy? {
    guard let number = socket?.number else { return nil }
    let copy = try Errno.check(fcntl(number, F_DUPFD_CLOEXEC, 0))
    return ListenerCopy(Descriptor(owning: copy), file: socket?.fileIdentity)
  }

  /// Has the kernel tell clients of a Unix socket that this process is the one that listens.
  public func claim() { socket?.claim() }

  public override func signal(_ readiness: Readiness) {
    if sharesQueue { return acceptAndStepBack() }
    for _ in 0..<acceptsInARow {
      guard !isPaused, !isExhausted, acceptOne() else { return }
    }
  }

  private var interest: Readiness { sharesQueue ? [.readable, .exclusive] : .readable }

  /// Accepts one connection and lets other loops have the next one: the kernel wakes the loop that has been longest in its
  /// list, which would otherwise be the same one each time.
  private func acceptAndStepBack() {
    guard !isPaused, !isExhausted, acceptOne(), registration != nil else { return }
    loop.remove(self)
    update()
  }

  private func acceptOne() -> Bool {
    guard let listening = socket?.number else { return false }
    return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CLINUX_ADDRESS_TEXT)) { text in
      let number = unsafe clinux_accept(listening, isInherited ? 1 : 0, text.baseAddress)
      guard number >= 0 else { return goesOn(after: .last) }
      failuresInARow = 0
      let connection = Descriptor(owning: number)
      guard let peer = isUnix ? user(of: number) : .address(unsafe String(cString: text.baseAddress!)) else {
        return true
      }
      accepted(connection, peer)
      return true
    }
  }

  /// The user who has connected to a Unix socket; nil if the kernel does not say, and then the client is rejected.
  private func user(of connection: Int32) -> SocketPeer? {
    var user: UInt32 = 0
    return unsafe clinux_peer_user(connection, &user) == 0 ? .user(user) : nil
  }

  private func goesOn(after errno: Errno) -> Bool {
    switch errno {
    case .wouldBlock:
      failuresInARow = 0
      return false
    case _ where errno.isShortage:
      rest(after: errno)
      return false
    default:
      // The connection died before it was accepted (accept(2), "Error handling"): the next one may be fine. Many such errors in
      // a row have another cause.
      failuresInARow += 1
      guard failuresInARow >= Self.failuresInARowLimit else { return true }
      failuresInARow = 0
      rest(after: errno)
      return false
    }
  }
}

/// Another descriptor of the socket of a listener, for another process.
public final class ListenerCopy: Sendable {
  /// Which file the socket has in the file system, as that process is told; nil where it has none, or none of this program.
  public let file: String?
  /// The number of the descriptor, which is closed with this object.
  public let number: Int32

  init(_ descriptor: consuming Descriptor, file: String?) {
    number = descriptor.release()
    self.file = file
  }

  deinit { close(number) }

  /// What tells sockets apart, whatever the number of their descriptors.
  public var socket: UInt {
    var status = stat()
    return unsafe fstat(number, &status) == 0 ? UInt(status.st_ino) : 0
  }
}
