internal import Admin
public import Configuration
internal import Interception
internal import Locks
internal import Reactor
internal import Secrets
internal import Synchronization
public import Telemetry

/// The outcome of loading proxy.conf again.
public enum ReloadOutcome: Sendable {
  /// It is in use: what has changed, setting by setting, and what needs a restart to change.
  case done(generation: Int, changes: [String], afterRestart: [String])
  /// The file has problems; the configuration before it stays in use.
  case invalid(ConfigurationError)
  /// Something that it needs is not available; the previous configuration stays in use.
  case unavailable(StartError)
  /// The proxy is about to stop.
  case draining
  /// Another process has taken the place of this one, and has read the file at its start.
  case replaced
}

/// What the proxy does with the log, whose output belongs to another part of the program.
public struct LogActions: Sendable {
  /// Opens the log file again, and calls `done`, on any thread, with nil or with why it cannot be opened. It does not wait.
  let reopen: @Sendable (_ done: @escaping @Sendable (String?) -> Void) -> Void
  /// Opens the output that the settings name, without changing anything; the returned function makes lines go there.
  let prepare: @Sendable (LogSettings) throws(LogOutputError) -> () -> Void

  /// Actions made of their parts.
  public init(
    reopen: @escaping @Sendable (_ done: @escaping @Sendable (String?) -> Void) -> Void,
    prepare: @escaping @Sendable (LogSettings) throws(LogOutputError) -> () -> Void
  ) {
    self.reopen = reopen
    self.prepare = prepare
  }
}

/// Loads proxy.conf again, all or nothing: everything that can fail is done before anything changes.
///
/// One reload at a time, on a thread of its own, since it waits for files, programs and the loops.
final class Reloader: Sendable {
  /// Reads proxy.conf, and the certificate authority that it names.
  typealias Load = @Sendable () throws(ConfigurationError) -> (ProxyConfiguration, CertificateAuthority?)
  typealias Completion = @Sendable (ReloadOutcome) -> Void

  /// The parts of the process that a reload changes.
  struct Parts: Sendable {
    let workers: [Worker]
    let maker: GenerationMaker
    let drain: Drain
    let logger: EventLog
    let registry: MetricsRegistry
    let logs: LogActions
    let makeAdmin: @Sendable (ProxyConfiguration) throws(StartError) -> AdminServer?
  }

  private struct State {
    var isRunning = false
    // Requests that came during a reload: the file may have changed since that reload read it.
    var waiting: [(cause: String, done: Completion)] = []
  }

  private let parts: Parts
  private let load: Load
  private let state = Monitor(State())
  // Touched by the thread of the reload that is under way.
  private let binding: Monitor<ListenerBinding>
  private let admin: Monitor<AdminServer?>
  private let watch: ConfigurationWatch?
  private let generation = Atomic<Int>(1)
  private let routes: Atomic<Int>
  private let lastFailed = Atomic<Bool>(false)
  private let last = Monitor<(outcome: ReloadOutcome, time: UInt64)?>(nil)
  private let levelChanged = Monitor<(@Sendable (String) -> Void)?>(nil)
  private let lastTime: Atomic<UInt64>
  private let counters: [String: Counter]
  /// Whose turn it is to change what the process has bound: a reload's, or an upgrade's.
  let turn = Turn()

  /// - Parameter path: The file of proxy.conf; nil where it cannot be read again.
  init(_ parts: Parts, binding: ListenerBinding, admin: AdminServer?, path: String?, load: @escaping Load) {
    let changed = Monitor<(@Sendable () -> Void)?>(nil)
    watch = path.map { ConfigurationWatch(path: $0) { changed.withLock { $0 }?() } }
    self.parts = parts
    routes = Atomic(parts.maker.current?.generation.routes.count ?? 0)
    self.load = load
    self.binding = Monitor(binding)
    self.admin = Monitor(admin)
    lastTime = Atomic(WallClock.now() / 1_000_000_000)
    let registry = parts.registry
    counters = Dictionary(
      uniqueKeysWithValues: ["ok", "invalid", "unavailable"].map { result in
        (result, registry.counter(.configurationReloads, [.result: result]))
      })
    registry.read(.configurationGeneration) { [unowned self] in Double(generation.load(ordering: .relaxed)) }
    registry.read(.configurationLastReload) { [unowned self] in lastFailed.load(ordering: .relaxed) ? 0 : 1 }
    registry.read(.configurationLastReloadTime) { [unowned self] in Double(lastTime.load(ordering: .relaxed)) }
    // It lives as long as the process, like what it calls.
    changed.withLock { $0 = { [unowned self] in reload(because: "changed") } }
  }

  /// Called with the log level in proxy.conf after each reload. Set before the first one.
  var onLevel: (@Sendable (String) -> Void)? {
    get { levelChanged.withLock { $0 } }
    set { levelChanged.withLock { $0 = newValue } }
  }

  /// The number of the generation that serves: 1 after the start.
  var number: Int { generation.load(ordering: .relaxed) }
  /// How many routes it has.
  var routeCount: Int { routes.load(ordering: .relaxed) }
  /// What is really bound, for a person.
  var listeners: [String] { binding.withLock { $0.listeners } }
  /// The outcome of the last reload, and its time in nanoseconds since 1970; nil if there was none.
  var lastReload: (outcome: ReloadOutcome, time: UInt64)? { last.withLock { $0 } }

  /// What is bound, and the admin listener, with the address that proxy.conf has for it. In its ``turn``.
  var parted: (bound: [ListenerBinding.Bound], admin: AdminServer?, adminAddress: TCPAddress?) {
    (binding.withLock { $0.bound }, admin.withLock { $0 }, parts.maker.current?.configuration.admin)
  }

  /// Another process serves from now on: the file, and the admin listener, are its business.
  func handOver() {
    try? watch?.set(isOn: false)
    let admin = admin.withLock { $0 }
    parts.workers[0].loop.perform { admin?.close(isPassedOn: true) }
  }

  /// Watches the file of proxy.conf for changes where `configuration` says so.
  func watchFile(_ configuration: ProxyConfiguration) throws(StartError) {
    try watch?.set(isOn: configuration.reload == .onChange)
  }

  /// Loads proxy.conf again, and calls `done` with the outcome. From any thread; returns at once.
  ///
  /// - Parameter cause: Why, for the log.
  func reload(because cause: String, _ done: @escaping Completion = { _ in }) {
    let begins = state.withLock { state in
      state.waiting.append((cause, done))
      defer { state.isRunning = true }
      return !state.isRunning
    }
    guard begins, !BackgroundThread.run(name: "reload", { self.run() }) else { return }
    let waiting = state.withLock { state in
      defer { state = State() }
      return state.waiting
    }
    for (_, done) in waiting { done(.unavailable(StartError("no thread can be started"))) }
  }

  private func run() {
    while true {
      let waiting = state.withLock { state in
        defer { state.waiting = [] }
        state.isRunning = !state.waiting.isEmpty
        return state.waiting
      }
      guard let first = waiting.first else { return }
      let began = ContinuousClock.now
      let outcome = loadAgain()
      last.withLock { $0 = (outcome, WallClock.now()) }
      note(outcome, because: first.cause, took: .now - began)
      for (_, done) in waiting { done(outcome) }
    }
  }

  private func loadAgain() -> ReloadOutcome {
    // An upgrade that is under way comes first: what it passes on must not change meanwhile.
    turn.take()
    defer { turn.give() }
    if parts.drain.isReplaced { return .replaced }
    if parts.drain.hasBegun { return .draining }
    let (configuration, authority): (ProxyConfiguration, CertificateAuthority?)
    do throws(ConfigurationError) { (configuration, authority) = try load() } catch { return .invalid(error) }
    do throws(StartError) { return try take(configuration, authority) } catch { return .unavailable(error) }
  }

  private func take(
    _ configuration: ProxyConfiguration, _ authority: CertificateAuthority?
  ) throws(StartError) -> ReloadOutcome {
    guard let current = parts.maker.current?.configuration else { preconditionFailure("a generation serves") }
    // Everything that can fail.
    let prepared = try parts.maker.prepare(configuration, authority)
    let rebound = binding.withLock { binding in
      ListenerBinding(
        configuration.listen, after: binding, workers: parts.workers.count,
        keepalive: configuration.timeouts.tcpKeepalive, logger: parts.logger)
    }
    var problems = rebound.problems
    var newAdmin: AdminServer?
    let changesAdmin = configuration.admin != current.admin
    if changesAdmin {
      do throws(StartError) { newAdmin = try makeAdmin(configuration) } catch { problems.append(error.of("admin")) }
    }
    var applyLog: (() -> Void)?
    if configuration.log != current.log {
      do throws(LogOutputError) { applyLog = try parts.logs.prepare(configuration.log) } catch {
        problems.append(StartError("\(error)"))
      }
    }
    if problems.isEmpty {
      do throws(StartError) { try watchFile(configuration) } catch { problems.append(error) }
    }
    guard problems.isEmpty else {
      if let newAdmin { parts.workers[0].loop.perform { newAdmin.close() } }
      throw StartError(problems)
    }

    // Nothing from here on can.
    parts.maker.commit(prepared)
    parts.drain.change(configuration.timeouts)
    if configuration.isHardened != current.isHardened {
      ProcessHardening.change(to: configuration.isHardened)
      for warning in ProcessHardening.warnings {
        parts.logger.warning(.reload, [.changed: "hardening", .detail: "\(warning)"])
      }
    }
    let loop = parts.workers[0].loop
    if changesAdmin {
      admin.withLock { admin in
        let old = admin
        admin = newAdmin
        loop.perform { old?.close() }
      }
    }
    adopt(prepared.generation, rebound, configuration.timeouts.tcpKeepalive)
    binding.withLock { $0 = rebound.withoutSockets }
    applyLog?()
    routes.store(configuration.routes.count, ordering: .relaxed)
    onLevel?(configuration.log.level.rawValue)
    lastTime.store(WallClock.now() / 1_000_000_000, ordering: .relaxed)
    let changes = current.text.flatMap { old in configuration.text.map { old.changes(to: $0) } } ?? []
    return .done(
      generation: generation.wrappingAdd(1, ordering: .relaxed).newValue, changes: changes,
      afterRestart: rebound.afterRestart + Self.afterRestart(from: current, to: configuration))
  }

  /// Makes every worker serve `generation`, and waits until all do.
  private func adopt(_ generation: Generation, _ rebound: ListenerBinding, _ keepalive: Duration?) {
    let missing = Monitor(parts.workers.count)
    let (served, own) = (rebound.served, rebound.own)
    for (index, worker) in parts.workers.enumerated() {
      let sockets = rebound.sockets.filter { $0.worker == index }
      worker.loop.perform { [logger = parts.logger] in
        worker.adopt(generation, served, own: own, keepalive: keepalive)
        do throws(StartError) { try ListenerBinding.start(sockets, on: worker) } catch {
          logger.warning(.reload, [.error: "listen", .detail: "\(error)"])
        }
        missing.withLock { $0 -= 1 }
        missing.wakeAll()
      }
    }
    missing.wait(while: { $0 > 0 }) { _ in }
  }

  /// Makes an admin listener on the loop that it belongs to.
  private func makeAdmin(_ configuration: ProxyConfiguration) throws(StartError) -> AdminServer? {
    let made = Monitor<Result<AdminServer?, StartError>?>(nil)
    parts.workers[0].loop.perform { [parts] in
      let result = Result { () throws(StartError) in try parts.makeAdmin(configuration) }
      made.withLock { $0 = result }
      made.wakeAll()
    }
    let result = made.wait(while: { $0 == nil }) { $0 }
    return try result?.get()
  }

  /// What differs between the two configurations, and holds only after a restart.
  private static func afterRestart(from old: ProxyConfiguration, to new: ProxyConfiguration) -> [String] {
    var settings: [String] = []
    if old.loops != new.loops { settings.append("loops") }
    if old.tokenStore != new.tokenStore { settings.append("token_store") }
    if old.control != new.control { settings.append("control") }
    // The rest of it has taken effect.
    if old.isHardened != new.isHardened, ProcessHardening.inForce.contains(.privileges) != new.isHardened {
      settings.append("hardening (no new privileges)")
    }
    return settings
  }

  // MARK: The log

  // How many changes are shown.
  private static let mostShown = 100

  private func note(_ outcome: ReloadOutcome, because cause: String, took: Duration) {
    let logger = parts.logger
    switch outcome {
    case .draining:
      logger.notice(.reload, [.reason: "\(cause)", .result: "failed", .detail: "the proxy is about to stop"])
    case .replaced:
      logger.notice(.reload, [.reason: "\(cause)", .result: "failed", .detail: "another process serves now"])
    case .done(let generation, let changes, let afterRestart):
      lastFailed.store(false, ordering: .relaxed)
      counters["ok"]?.increment()
      for change in changes.prefix(Self.mostShown) { logger.notice(.reload, [.changed: "\(change)"]) }
      if changes.count > Self.mostShown {
        logger.notice(.reload, [.changed: "\(changes.count - Self.mostShown) more settings"])
      }
      for setting in afterRestart {
        logger.warning(.reload, [.changed: "\(setting)", .hint: "it takes effect when the proxy is restarted"])
      }
      logger.notice(
        .reload, [.reason: "\(cause)", .result: "ok", .generation: .number(generation), .took: .duration(took)])
    case .invalid(let error):
      failed("invalid", error.problems.map(\.description), because: cause)
    case .unavailable(let error):
      failed("unavailable", error.reasons, because: cause)
    }
  }

  private func failed(_ kind: String, _ details: [String], because cause: String) {
    lastFailed.store(true, ordering: .relaxed)
    counters[kind]?.increment()
    let hint = "the configuration before it is still in use"
    for detail in details.prefix(Self.mostShown) {
      parts.logger.warning(
        .reload,
        [.reason: "\(cause)", .result: "failed", .error: "\(kind)", .detail: "\(detail)", .hint: "\(hint)"])
    }
  }
}
