internal import CLinux
internal import Configuration
internal import Glibc
internal import Locks
internal import Reactor
internal import Secrets
internal import Synchronization
internal import SystemPackage

/// The process that this one is to take the place of, as this one sees it: what it passes on, and that it waits to be told what has
/// become of this process.
public final class Predecessor: Sendable {
  /// A socket that it passes on.
  final class Socket: Sendable {
    let settings: HandOver.Socket
    private let descriptor: Monitor<Int32?>
    private let right: SocketFileRight

    fileprivate init(_ settings: HandOver.Socket, _ right: SocketFileRight) {
      self.settings = settings
      descriptor = Monitor(settings.number)
      self.right = right
    }

    deinit {
      // With what it has in the file system, if that is this process's by now.
      _ = try? open()
    }

    /// The socket, for the listener that uses it.
    func open() throws(InheritedSocketError) -> ListeningSocket {
      guard let number = release() else { throw .notASocket }
      return try ListeningSocket(passedOn: Descriptor(owning: number), file: settings.file, right)
    }

    fileprivate func release() -> Int32? {
      descriptor.withLock { descriptor in
        defer { descriptor = nil }
        return descriptor
      }
    }
  }

  /// Its number.
  let process: pid_t
  /// Its version.
  let version: String
  /// The tokens that were valid in it.
  let tokens: Secret?

  private let outcome: Monitor<Int32?>
  private let sockets: Monitor<[Socket]>
  private let right = SocketFileRight()
  private let end: Int32

  /// The one that has started this process at an upgrade; nil where it was started otherwise. What says so is taken out of the
  /// environment.
  ///
  /// - Throws: why it cannot be understood.
  public static func ofThisProcess() throws(StartError) -> Predecessor? {
    guard let value = unsafe getenv(HandOver.variable) else { return nil }
    let parts = unsafe String(cString: value).split(separator: ":", omittingEmptySubsequences: false)
    unsafe _ = unsetenv(HandOver.variable)
    guard parts.count == 2, parts[0] == HandOver.form, let number = Int32(parts[1]) else {
      throw StartError(
        "\(HandOver.variable) is not what this version understands: only an upgrade by m2m-proxy may set it.")
    }
    guard let content = MemoryFile.content(of: number),
      let handOver = HandOver(
        content.withBytes { bytes in String(decoding: (0..<bytes.count).map { bytes[$0] }, as: UTF8.self) })
    else {
      throw StartError("\(HandOver.variable) names no description of sockets: only an upgrade by m2m-proxy may set it.")
    }
    close(number)
    return Predecessor(handOver)
  }

  private init(_ handOver: HandOver) {
    (process, version) = (handOver.process, handOver.version)
    let numbers = [handOver.outcome] + handOver.sockets.map(\.number)
    for number in numbers { _ = fcntl(number, F_SETFD, FD_CLOEXEC) }
    tokens = handOver.tokens.flatMap { MemoryFile.content(of: $0) }
    if let tokens = handOver.tokens { close(tokens) }
    outcome = Monitor(handOver.outcome)
    sockets = Monitor([])
    let right = right
    sockets.withLock { $0 = handOver.sockets.map { Socket($0, right) } }
    end = clinux_open_process(handOver.process)
  }

  /// Whether it has not ended yet; nil where the system does not tell.
  var isRunning: Bool? { end < 0 ? nil : clinux_wait_readable(end, 0) == 0 }

  // MARK: What it passes on

  /// The sockets of its first listener with that address in proxy.conf, or that is bound to it; nil where there is none. Those of
  /// systemd are not among them.
  func take(_ address: ListenAddress) -> [Socket]? {
    if case .systemd = address { return nil }
    let text = "\(address)"
    return sockets.withLock { sockets in
      let listeners = sockets.filter { $0.settings.use == .listener && $0.settings.systemdName == nil }
      let match =
        listeners.first { $0.settings.address == text }
        ?? listeners.first { SocketAddress.text(of: $0.settings.number, peer: false) == text }
      guard let group = match?.settings.group else { return nil }
      defer { sockets.removeAll { $0.settings.use == .listener && $0.settings.group == group } }
      return listeners.filter { $0.settings.group == group }
    }
  }

  /// Those of systemd.
  func takeSystemdSockets() -> [PassedSockets.Socket] {
    sockets.withLock { sockets in
      var taken: [PassedSockets.Socket] = []
      for socket in sockets {
        guard let name = socket.settings.systemdName, let number = socket.release() else { continue }
        taken.append(PassedSockets.Socket(name: name, number: number))
      }
      sockets.removeAll { $0.settings.systemdName != nil }
      return taken
    }
  }

  /// The socket for `use` with that address; nil where there is none.
  func take(_ use: HandOver.Socket.Use, _ address: String) -> Socket? {
    sockets.withLock { sockets in
      guard let index = sockets.firstIndex(where: { $0.settings.use == use && $0.settings.address == address }) else {
        return nil
      }
      return sockets.remove(at: index)
    }
  }

  // MARK: What it is told

  /// Tells it a reason why this process ends without serving.
  public func report(_ reason: String) {
    for line in reason.split(separator: "\n") { tell("- \(line)") }
  }

  /// Tells it that this process serves: it may stop.
  func report(isServing: Void = ()) {
    right.take()
    // What no listener has taken is closed, with its file.
    sockets.withLock { $0 = [] }
    tell(Self.serving)
    if let outcome = outcome.withLock({ $0.take() }) { close(outcome) }
  }

  /// What the process before is told last.
  static let serving = "serving"

  private func tell(_ line: String) {
    let bytes = Array("\(line)\n".utf8)
    outcome.withLock { outcome in
      // It may have ended by itself: then this process serves all the same.
      if let outcome { unsafe _ = write(outcome, bytes, bytes.count) }
    }
  }
}

extension InheritedSocketError {
  /// What is wrong with the socket, to follow what it is.
  var complaint: String {
    switch self {
    case .notASocket: "is no socket"
    case .notAStream: "is not for streams"
    case .notListening: "does not listen"
    case .unknownFamily: "is neither an IP nor a Unix socket"
    }
  }
}
