internal import CLinux
internal import Glibc
internal import Locks
internal import Reactor
internal import SystemPackage
internal import Telemetry

/// What the proxy does on signals, on a thread of its own: a signal to stop takes effect whatever the other loops do.
// Sendable because everything is touched on the thread of its loop only, once that runs. It is never freed: the watch
// keeps it, and signals take effect until the very end of the process.
final class ProcessSignals: @unchecked Sendable {
  /// SIGUSR1 opens the log file again, SIGUSR2 upgrades, SIGHUP loads proxy.conf again. Sources/CStart has blocked these signals
  /// since before main.
  static let used = [SIGUSR1, SIGUSR2, SIGHUP]

  /// Called for a SIGHUP that does not come from a terminal. Set before ``start()``.
  var onHangup: () -> Void = {}
  /// Called for SIGUSR2. Set before ``start()``.
  var onUpgrade: () -> Void = {}

  private let drain: Drain
  private let logger: EventLog
  private let reopenLogs: @Sendable () -> Void
  private let loop: EventLoop
  private var watch: SignalWatch?
  private let hadTerminal: Bool
  private let secondLook = LoopTimer()

  /// Blocks the signals on this thread and on threads that it starts later: create it before any thread is started.
  ///
  /// - Parameter reopenLogs: opens the log file again, for SIGUSR1; it must not wait for anything.
  init(drain: Drain, logger: EventLog, reopenLogs: @escaping @Sendable () -> Void) throws(Errno) {
    self.reopenLogs = reopenLogs
    self.drain = drain
    self.logger = logger
    loop = try EventLoop()
    hadTerminal = Self.hasTerminal
    // One that was ignored when the program was started (nohup) stays so; blocked, it would still be read.
    let signals = [SIGTERM, SIGINT] + Self.used.filter { $0 != SIGHUP || !SignalWatch.isIgnored(SIGHUP) }
    watch = try SignalWatch(signals) { [self] in receive($0) }
    secondLook.action = { [self] in if hasLostTerminal { hangUp() } }
  }

  /// Handles signals from now on, to the end of the process.
  func start() throws(Errno) {
    try watch?.start(on: loop)
    try loop.startThread(named: "signals")
  }

  private func receive(_ signal: ReceivedSignal) {
    switch signal.number {
    case SIGTERM, SIGINT: drain.stop(signal.number)
    case SIGUSR1: reopenLogs()
    case SIGHUP where signal.isFromKernel || hasLostTerminal: hangUp()
    case SIGHUP:
      onHangup()
      // A shell that ends passes it on, possibly before the terminal is gone.
      if hadTerminal { loop.set(secondLook, to: loop.now + .seconds(1)) }
    default: onUpgrade()
    }
  }

  private func hangUp() {
    guard !drain.hasBegun else { return }
    logger.notice(.signal, [.signal: "SIGHUP", .detail: "the terminal has hung up; draining"])
    drain.begin()
  }

  // MARK: The terminal

  private var hasLostTerminal: Bool { hadTerminal && !Self.hasTerminal }

  /// Whether the process has a controlling terminal: when that hangs up, the kernel takes it away from all of its processes.
  private static var hasTerminal: Bool {
    // Without O_NONBLOCK, opening a serial line would block.
    let terminal = unsafe open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
    if terminal >= 0 { close(terminal) }
    return terminal >= 0
  }
}

/// Notifies systemd for a service of Type=notify (sd_notify(3)); does nothing where that is not requested.
public final class ServiceManager: Sendable {
  private let path: Monitor<String?>

  /// The manager that NOTIFY_SOCKET names; removes the variable from the environment.
  public init() {
    path = Monitor(unsafe getenv("NOTIFY_SOCKET").map { unsafe String(cString: $0) })
    unsafe _ = unsetenv("NOTIFY_SOCKET")
  }

  /// Whether there is one.
  var isThere: Bool { path.withLock { $0 != nil } }

  /// The variable that names it, for the process that takes the place of this one; nil where there is none.
  var variable: String? { path.withLock { $0 }.map { "NOTIFY_SOCKET=\($0)" } }

  /// The proxy serves from now on. Waits up to 5 s for a manager that does not read, so it is not for an event loop.
  public func ready() { tell("READY=1", milliseconds: 5000) }

  /// The proxy finishes its requests. Never waits: loops call it.
  public func stopping() { tell("STOPPING=1", milliseconds: 0) }

  /// The service is another process from now on, which serves already: this one says nothing more. It is this one that says so,
  /// since systemd listens to the main process alone (NotifyAccess=main). Waits as ``ready()`` does.
  func mainProcess(is process: pid_t) {
    tell("MAINPID=\(process)\nREADY=1", milliseconds: 5000)
    path.withLock { $0 = nil }
  }

  private func tell(_ news: String, milliseconds: Int32) {
    // A manager that cannot be told uses its own timeouts; the proxy can do nothing about it.
    if let path = path.withLock({ $0 }) { unsafe _ = clinux_send_datagram(path, news, milliseconds) }
  }
}
