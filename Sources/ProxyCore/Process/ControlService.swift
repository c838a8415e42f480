internal import Configuration
public import Control
internal import Glibc
internal import Locks
internal import Reactor
internal import Synchronization
internal import SystemPackage
internal import Telemetry

/// What other parts of the program do for the commands. Set before ``Proxy/run()``.
public struct ControlHooks: Sendable {
  /// Loads the configuration again, waits for the outcome, and does not block the thread that it is called on.
  public var reload: (@Sendable () async -> ControlOutcome)?
  /// Opens the files of the log again, in the same way.
  public var reopenLogs: (@Sendable () async -> ControlOutcome)?
  /// Starts another process in place of this one, in the same way.
  var upgrade: (@Sendable (UpgradeRequest) async -> ControlOutcome)?
  /// Why the last upgrade failed, and when, as text; nil where none has.
  var failedUpgrade: @Sendable () -> (reasons: [String], time: String)? = { nil }
  /// How often the configuration was loaded, beginning with 1.
  public var generation: @Sendable () -> Int = { 1 }
  /// How many routes there are now; nil where that never changes.
  public var routes: (@Sendable () -> Int)?
  /// The URLs of the listeners now; nil where they never change.
  public var listeners: (@Sendable () -> [String])?
  /// The outcome of the last reload, whatever started it, and its time as text; nil if there was none.
  public var lastReload: @Sendable () -> (outcome: ControlOutcome, time: String)? = { nil }
}

extension ControlHooks {
  /// Makes `reloader` load the configuration again for commands.
  mutating func takeReloads(from reloader: Reloader) {
    reload = {
      await withCheckedContinuation { continuation in
        reloader.reload(because: "command") { continuation.resume(returning: ControlOutcome($0)) }
      }
    }
    generation = { reloader.number }
    routes = { reloader.routeCount }
    listeners = { reloader.listeners }
    lastReload = { reloader.lastReload.map { (ControlOutcome($0.outcome), WallClock.text($0.time)) } }
  }
}

extension ControlHooks {
  /// Makes `logs` open the log file again for commands.
  mutating func takeReopening(from logs: LogActions) {
    reopenLogs = {
      await withCheckedContinuation { continuation in
        logs.reopen { problem in
          continuation.resume(
            returning: problem.map { ControlOutcome(.unavailable, $0) }
              ?? ControlOutcome(.done, "The log is open again."))
        }
      }
    }
  }
}

extension ControlHooks {
  /// Has `upgrader` start another process.
  mutating func takeUpgrades(from upgrader: Upgrader) {
    upgrade = { request in
      await withCheckedContinuation { continuation in
        upgrader.upgrade(because: "command", request) { continuation.resume(returning: ControlOutcome($0)) }
      }
    }
    failedUpgrade = { upgrader.failure.map { ($0.reasons, WallClock.text($0.time)) } }
  }
}

extension ControlOutcome {
  /// What `outcome` says to the person at the terminal.
  fileprivate init(_ outcome: UpgradeOutcome) {
    let goesOn = "The process before goes on."
    switch outcome {
    case .done(let process, let program):
      self.init(
        .done,
        "Process \(process) serves in place of process \(getpid()), which finishes what is under way.\nIt runs \(program)."
      )
    case .refused(let reason): self.init(.unavailable, reason)
    case .invalid(let reasons): self.init(.badFile, (reasons + [goesOn]).joined(separator: "\n"))
    case .failed(let reasons): self.init(.unavailable, (reasons + [goesOn]).joined(separator: "\n"))
    }
  }

  /// What `outcome` says to the person at the terminal.
  fileprivate init(_ outcome: ReloadOutcome) {
    switch outcome {
    case .done(let generation, let changes, let afterRestart):
      let lines = changes + afterRestart.map { "\($0): takes effect when the proxy is restarted" }
      let what = lines.isEmpty ? "Nothing has changed" : "The configuration is loaded"
      self.init(.done, (lines + ["\(what) (generation \(generation))."]).joined(separator: "\n"))
    case .invalid(let error):
      let lines = error.problems.map(\.description) + ["The configuration before it is still in use."]
      self.init(.badFile, lines.joined(separator: "\n"))
    case .unavailable(let error):
      self.init(
        .unavailable, (error.reasons + ["The configuration before it is still in use."]).joined(separator: "\n"))
    case .draining:
      self.init(.unavailable, "The proxy is about to stop.")
    case .replaced:
      self.init(
        .unavailable,
        "An upgrade was under way: another process serves now, which has read the configuration at its start.")
    }
  }
}

// Sendable because all that changes is touched on the thread of its loop, or before that runs.
/// Takes commands for the running process, on a loop and a thread of its own: they work also when a loop that serves hangs, and
/// take no time from requests.
public final class ControlService: @unchecked Sendable {
  /// What other parts of the program do.
  public var hooks = ControlHooks()

  /// Where the socket is.
  let place: ControlPlace

  let loop: EventLoop
  private let server: ControlServer
  private let process: ServedProcess
  private let started = Instant.now
  private var thread: LoopThread?
  private var configuredLevel: String
  private var levelEnds: Instant?
  private let restore = LoopTimer()

  /// How long the loops have to respond for `status`, which does without those that do not.
  private static let patience = Duration.seconds(1)

  /// The service that proxy.conf asks for, and what is wrong with it, as sentences: without a socket the proxy works, too.
  ///
  /// - Parameter file: the configuration file as the command line has it.
  static func make(
    _ setting: ControlSetting, file: String, environment: [String: String], _ process: ServedProcess,
    after predecessor: Predecessor? = nil
  ) -> (service: ControlService?, warnings: [String]) {
    var warnings: [String] = []
    do {
      let places: [ControlPlace]
      switch setting {
      case .off: return (nil, [])
      case .path(let path): places = [.file(path)]
      case .automatic: places = try ControlPlace.usual(configuration: file, environment: environment)
      }
      let loop = try EventLoop()
      for place in places {
        guard let passed = predecessor?.take(.control, "\(place)") else { continue }
        do throws(InheritedSocketError) {
          let server = ControlServer(try passed.open(), at: place, on: loop)
          return (ControlService(server, loop, process), warnings)
        } catch {
          warnings.append("control: the socket \(place) of the process before this one \(error.complaint).")
        }
      }
      for place in places {
        do throws(SocketFileError) {
          let server = try ControlServer(at: place, on: loop)
          return (ControlService(server, loop, process), warnings)
        } catch {
          // Directories that are not there, or not this user's, are no surprise; another process is.
          guard place == places.last || error == .inUse else { continue }
          warnings.append(warning(place, error, isLast: place == places.last))
        }
      }
    } catch {
      warnings.append("control: there is no control socket: \(error)")
    }
    return (nil, warnings)
  }

  private static func warning(_ place: ControlPlace, _ error: SocketFileError, isLast: Bool) -> String {
    let reason =
      switch (error, place) {
      case (.inUse, _): "another process with this configuration, or another program, takes commands at \(place)."
      case (_, .file(let path)): StartError.bind(path: path, error).description
      case (_, .abstract): "\(place) cannot be made: \(error)."
      }
    let consequence =
      isLast ? "Commands such as m2m-proxy status cannot reach this one" : "Commands reach that one first"
    return "control: \(reason) \(consequence)"
  }

  private init(_ server: ControlServer, _ loop: EventLoop, _ process: ServedProcess) {
    self.server = server
    self.loop = loop
    self.process = process
    place = server.place
    configuredLevel = process.logger.threshold.name
    restore.action = { [unowned self] in restoreLevel() }
  }

  /// Begins to take commands.
  func start() throws(Errno) {
    var actions = ControlActions(
      status: { [self] in await status() }, health: { [self] in await health($0) }, drain: { [self] in drain() },
      setLogLevel: { [self] in setLogLevel($0, $1) })
    if let reload = hooks.reload { actions.reload = reload }
    if let reopen = hooks.reopenLogs { actions.reopenLogs = reopen }
    if let upgrade = hooks.upgrade { actions.upgrade = upgrade }
    actions.note = { [self] in note($0, $1, $2) }
    try server.start(actions)
    thread = try loop.startThread(named: "control")
  }

  /// What another process needs to take commands at the same socket. On the thread of ``loop``.
  func copyListener() throws(Errno) -> ListenerCopy? { try server.copyListener() }

  /// Has the kernel tell clients that this process takes the commands. From any thread.
  func claim() { loop.perform { [self] in server.claim() } }

  /// Another process takes commands at the same socket from now on; those under way here are finished. From any thread.
  func handOver() { loop.perform { [self] in server.close(isPassedOn: true) } }

  /// Takes no more commands, and removes the socket. Who waits for the response to a command gets it, in a moment.
  func stop() {
    if let thread {
      let isQuiet = Monitor(false)
      for _ in 0..<100 {
        loop.perform { [self] in
          server.close(isPassedOn: process.drain.isReplaced)
          if server.isQuiet { isQuiet.withLock { $0 = true } }
          isQuiet.wakeAll()
        }
        if isQuiet.wait(while: { !$0 }, milliseconds: 10, then: { $0 }) { break }
      }
      loop.stop()
      thread.join()
    }
    server.close(isPassedOn: process.drain.isReplaced)
  }

  // MARK: Commands

  private func status() async -> ControlStatus {
    let reports = await collect(within: Self.patience) { worker in
      (inFlight: worker.requestsInFlight, connections: worker.connections.count)
    }
    let silent = reports.indices.filter { reports[$0] == nil }
    let known = reports.compactMap(\.self)
    let served = process.workers.reduce(0) { $0 + $1.requestsServed.load(ordering: .relaxed) }
    let inFlight = known.reduce(0) { $0 + $1.inFlight }
    let uptime = Int((Instant.now - started) / 1_000_000_000)
    let isDraining = process.drain.hasBegun
    let generation = hooks.generation()
    let threshold = process.logger.threshold.name
    var rows: [ControlStatus.Row] = [
      .init("version", .text(Product.version), label: "version"),
      .init("pid", .number(Int(getpid())), label: "pid"),
      .init("state", .text(isDraining ? "draining" : "serving"), label: "state"),
      .init("uptime_s", .number(uptime), label: "uptime", shown: Self.words(seconds: uptime)),
      .init(
        "configuration", .text(process.file), label: "configuration",
        shown: "\(process.file == "-" ? "standard input" : process.file), generation \(generation)"),
      .init("generation", .number(generation)),
      .init("listeners", .texts(hooks.listeners?() ?? process.listeners), label: "listen"),
      .init("admin", .text(process.admin.map { "http://\($0)" } ?? "off"), label: "admin"),
      .init("control", .text("\(place)"), label: "control"),
      .init("routes", .number(hooks.routes?() ?? process.routes), label: "routes"),
      .init(
        "hardening", .texts(ProcessHardening.inForce.map(\.rawValue)), label: "process", shown: ProcessHardening.text),
      .init("loops", .number(process.workers.count), label: "loops"),
      .init("connections", .number(known.reduce(0) { $0 + $1.connections }), label: "connections"),
      .init(
        "requests_in_flight", .number(inFlight), label: "requests",
        shown: "\(inFlight) in flight, \(served) served"),
      .init("requests_served", .number(Int(clamping: served))),
      .init(
        "tokens_fetched", .number(process.tokens.fetched), label: "tokens",
        shown: "\(process.tokens.fetched) fetched, \(process.tokens.failed) could not be"),
      .init("tokens_failed", .number(process.tokens.failed)),
      .init("log_level", .text(threshold), label: "log level", shown: threshold + levelNote),
    ]
    if !silent.isEmpty {
      let names = silent.map(String.init).joined(separator: ", ")
      rows.append(
        .init(
          "silent_loops", .texts(silent.map(String.init)), label: "silent",
          shown: "loop \(names): no response in \(Self.patience.components.seconds) s, and not in the numbers"))
    }
    rows += reloadRows() + upgradeRows()
    return ControlStatus(rows)
  }

  private func reloadRows() -> [ControlStatus.Row] {
    guard let last = hooks.lastReload() else { return [.init("last_reload", .text("none"), label: "reload")] }
    let isDone = last.outcome.kind == .done
    let lines = last.outcome.text.split(separator: "\n").map(String.init)
    return [
      .init(
        "last_reload", .text(isDone ? "ok" : "failed"), label: "reload",
        shown: isDone ? "\(last.time), ok" : "\(last.time), failed; what was in force before still is"),
      .init("last_reload_at", .text(last.time)),
      .init("last_reload_messages", .texts(lines), label: isDone ? nil : "problem"),
    ]
  }

  private func upgradeRows() -> [ControlStatus.Row] {
    var rows: [ControlStatus.Row] = []
    if let predecessor = process.predecessor {
      let isRunning = predecessor.isRunning
      rows.append(
        .init(
          "predecessor", .number(Int(predecessor.process)), label: isRunning == true ? "upgrade" : nil,
          shown: "process \(predecessor.process) still finishes what was under way before"))
      if let isRunning { rows.append(.init("predecessor_is_running", .truth(isRunning))) }
    }
    guard let failed = hooks.failedUpgrade() else { return rows }
    return rows + [
      .init("failed_upgrade_at", .text(failed.time), label: "upgrade", shown: "\(failed.time), failed"),
      .init("failed_upgrade_messages", .texts(failed.reasons), label: "problem"),
    ]
  }

  private func health(_ patience: Duration) async -> ControlOutcome {
    guard !process.drain.hasBegun else { return ControlOutcome(.unwell, "draining") }
    let responses = await collect(within: patience) { _ in true }
    let silent = responses.indices.filter { responses[$0] == nil }.map(String.init)
    if silent.isEmpty { return ControlOutcome(.done, "ok") }
    return ControlOutcome(.unwell, "loop \(silent.joined(separator: ", ")) does not respond")
  }

  private func drain() -> ControlOutcome {
    guard !process.drain.hasBegun else { return ControlOutcome(.done, "The proxy is draining already.") }
    process.drain.begin()
    return ControlOutcome(.done, "The proxy finishes what is under way, and stops.")
  }

  private func note(_ command: String, _ user: String, _ outcome: ControlOutcome) {
    let fields: EventLog.Fields = [.client: "\(user)", .command: "\(command)"]
    let detail = outcome.text.split(separator: "\n").first.map(String.init) ?? ""
    if outcome.kind == .done {
      process.logger.notice(.control, fields.merging([.detail: "\(detail)"]) { $1 })
    } else {
      process.logger.warning(.control, fields.merging([.error: "\(detail)"]) { $1 })
    }
  }

  // MARK: The level of the log

  /// The level in proxy.conf is `level` now: applies at once, or when a temporary level ends. From any thread.
  public func configured(level: String) {
    loop.perform { [self] in
      configuredLevel = level
      if levelEnds == nil { _ = process.logger.threshold.set(level) }
    }
  }

  private func setLogLevel(_ name: String, _ duration: Duration?) -> ControlOutcome {
    guard LogSettings.Level(rawValue: name) != nil, process.logger.threshold.set(name) else {
      let names = LogSettings.Level.allCases.map(\.rawValue).joined(separator: ", ")
      return ControlOutcome(.misused, "There is no level \"\(name)\"; there are \(names).")
    }
    levelEnds = duration.map { .now + $0 }
    loop.set(restore, to: levelEnds ?? .never)
    guard let duration else {
      configuredLevel = name
      return ControlOutcome(
        .done, "The log has level \(name) from now on, until the proxy stops or proxy.conf is loaded again.")
    }
    let seconds = Int(duration.components.seconds)
    return ControlOutcome(
      .done, "The log has level \(name) for \(Self.words(seconds: seconds)), and \(configuredLevel) then.")
  }

  private func restoreLevel() {
    levelEnds = nil
    // Before that level holds: it may be one that hides the line.
    process.logger.notice(.control, [.command: "log-level", .detail: "The log has level \(configuredLevel) again."])
    _ = process.logger.threshold.set(configuredLevel)
  }

  private var levelNote: String {
    guard let levelEnds else { return "" }
    let left = Int((levelEnds - .now) / 1_000_000_000)
    return ", for another \(Self.words(seconds: left)); then \(configuredLevel)"
  }

  // MARK: Parts

  /// `3 d 4 h`, `2 h 5 min`, `12 s`: the two largest units.
  static func words(seconds: Int) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")]
    guard let first = units.firstIndex(where: { seconds >= $0.0 }) else { return "0 s" }
    let (size, name) = units[first]
    let rest = seconds % size
    guard first + 1 < units.count, rest / units[first + 1].0 > 0 else { return "\(seconds / size) \(name)" }
    return "\(seconds / size) \(name) \(rest / units[first + 1].0) \(units[first + 1].1)"
  }

  /// The result of `question` for each worker, on the thread of its loop; nil for workers that do not respond within
  /// `patience`.
  private func collect<Response: Sendable>(
    within patience: Duration, _ question: @escaping @Sendable (Worker) -> Response
  ) async -> [Response?] {
    let wakeup = Wakeup(on: loop)
    let responses = Responses<Response>(process.workers.count, wakeup)
    for (index, worker) in process.workers.enumerated() {
      worker.loop.perform { [loop] in
        let response = question(worker)
        loop.perform { responses.add(response, at: index) }
      }
    }
    let deadline = Instant.now + patience
    let timer = LoopTimer()
    timer.action = { wakeup.wake() }
    loop.set(timer, to: deadline)
    while !responses.isComplete, Instant.now < deadline { await wakeup.wait() }
    loop.retire(timer)
    return responses.found
  }
}

/// What is known of the process whose commands are taken.
struct ServedProcess: Sendable {
  let file: String
  let workers: [Worker]
  let drain: Drain
  let logger: EventLog
  let listeners: [String]
  let admin: String?
  let routes: Int
  let tokens: TokenTotals
  let predecessor: Predecessor?
}

/// The responses of workers, as far as they have come. On the thread of one loop.
private final class Responses<Response: Sendable>: @unchecked Sendable {
  private(set) var found: [Response?]
  private let wakeup: Wakeup

  init(_ count: Int, _ wakeup: Wakeup) {
    found = Array(repeating: nil, count: count)
    self.wakeup = wakeup
  }

  var isComplete: Bool { found.allSatisfy { $0 != nil } }

  func add(_ response: Response, at index: Int) {
    found[index] = response
    if isComplete { wakeup.wake() }
  }
}
