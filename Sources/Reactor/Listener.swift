internal import CLinux
internal import Glibc
public import SystemPackage

/// A listening socket of one event loop. Several loops may listen on the same address; the kernel spreads the
/// connections over them.
public final class Listener: Watch {
  /// The address that is really bound, as `host:port`.
  public let address: String
  /// The port that is really bound.
  public let port: UInt16

  /// What happens when nothing can be accepted, most likely because the process or the machine has no descriptor or
  /// memory for another connection; accepting goes on a moment later.
  public var onExhaustion: (Errno) -> Void = { _ in }

  private let loop: EventLoop
  private var descriptor: Descriptor?
  private let accepted: (consuming Descriptor, String) -> Void
  private var isStarted = false
  // Two reasons not to accept, which end independently of each other.
  private var isPaused = false
  private var isExhausted = false
  private let retry = LoopTimer()
  private var failuresInARow = 0

  private static let backlog: Int32 = 4096
  private static let retryDelay = Duration.milliseconds(100)
  // A burst of new connections must not keep those that are open from being served.
  private static let acceptsInARow = 32

  /// Binds `host` (a numeric address) and `port` (0: any free one) and accepts on the thread of `loop` from then on.
  ///
  /// - Parameter sharesPort: whether several listeners may bind the same port.
  /// - Parameter accepted: takes each connection, non-blocking, with the peer's address as text.
  public init(
    host: String, port: UInt16, sharesPort: Bool, on loop: EventLoop,
    accepted: @escaping (consuming Descriptor, String) -> Void
  ) throws(Errno) {
    let number = unsafe try Errno.check(clinux_listen(host, port, Self.backlog, sharesPort ? 1 : 0))
    let socket = Descriptor(owning: number)
    address = SocketAddress.text(of: number, peer: false)
    self.port = UInt16(address.split(separator: ":").last.flatMap { UInt16($0) } ?? port)
    self.loop = loop
    self.accepted = accepted
    descriptor = consume socket
    super.init()
    retry.action = { [unowned self] in
      isExhausted = false
      update()
    }
  }

  /// Throws what binding `host` and `port` says when nobody else may share them; leaves nothing behind.
  public static func checkAvailability(host: String, port: UInt16) throws(Errno) {
    let number = unsafe try Errno.check(clinux_listen(host, port, 1, 0))
    _ = Descriptor(owning: number)
  }

  /// Begins to accept. On the loop's thread.
  public func start() throws(Errno) {
    guard let number = descriptor?.number else { return }
    try loop.register(self, descriptor: number, interest: .readable)
    isStarted = true
  }

  /// Stops accepting for now; the kernel queues what comes meanwhile.
  public func pause() {
    isPaused = true
    update()
  }

  /// Goes on after ``pause()``.
  public func resume() {
    isPaused = false
    update()
  }

  private func update() {
    let accepts = !isPaused && !isExhausted
    guard isStarted, let number = descriptor?.number, accepts != (registration != nil) else { return }
    guard accepts else { return loop.remove(self) }
    do {
      try loop.register(self, descriptor: number, interest: .readable)
    } catch {
      rest(after: error)
    }
  }

  /// Accepts nothing for a moment: trying at once would be the same failure again, as fast as the processor can.
  private func rest(after errno: Errno) {
    isExhausted = true
    loop.remove(self)
    loop.set(retry, to: loop.now + Self.retryDelay)
    onExhaustion(errno)
  }

  /// Stops accepting for good and frees the port.
  public func close() {
    loop.retire(retry)
    loop.remove(self)
    descriptor = nil
  }

  public override func signal(_ readiness: Readiness) {
    for _ in 0..<Self.acceptsInARow {
      guard !isPaused, !isExhausted, acceptOne() else { return }
    }
  }

  private func acceptOne() -> Bool {
    guard let listening = descriptor?.number else { return false }
    return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CLINUX_ADDRESS_TEXT)) { text in
      let number = unsafe clinux_accept(listening, text.baseAddress)
      guard number >= 0 else { return goesOn(after: .last) }
      failuresInARow = 0
      accepted(Descriptor(owning: number), unsafe String(cString: text.baseAddress!))
      return true
    }
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
      // The connection died before it was accepted (accept(2), "Error handling"): the next one may be fine. So many of
      // them are something else.
      failuresInARow += 1
      guard failuresInARow >= Self.acceptsInARow else { return true }
      failuresInARow = 0
      rest(after: errno)
      return false
    }
  }
}
