internal import Admin
internal import Bytes
internal import CLinux
internal import Callers
public import Configuration
public import Control
internal import FileStore
public import Interception
internal import Outbound
internal import Reactor
internal import Secrets
internal import Synchronization
internal import SystemPackage
public import Telemetry
internal import Tokens
internal import Upstream

/// The program, as it names itself.
public enum Product {
  /// The version of this program.
  public static let version = "0.1.0"
}

/// The composition root: makes the parts of the program in order, and connects them.
public final class Proxy {
  private let signals: ProcessSignals
  private let loops: [EventLoop]
  private let workers: [Worker]
  private let drain: Drain
  private let maker: GenerationMaker
  private let reloader: Reloader
  private let upgrader: Upgrader
  private let predecessor: Predecessor?
  /// Takes commands; nil where there is no control socket.
  public let control: ControlService?

  /// What is really bound, as URLs; `unix:` and a path for a Unix socket.
  public let listeners: [String]
  /// Sentences about settings that deserve a second look, as far as proxy.conf alone could not tell.
  public let warnings: [String]
  /// The address of the admin listener, if there is one.
  public let adminAddress: String?
  /// Where commands are taken; nil for nowhere.
  public var controlPlace: ControlPlace? { control?.place }
  /// How much memory buffers and connections may take, and who says so.
  public let memoryBound: MemoryBound
  /// How many event loops serve.
  public var loopCount: Int { loops.count }

  /// Binds every address of `configuration`; nothing is served before ``run()``.
  ///
  /// - Parameter file: the configuration file as the command line has it, which names the control socket.
  /// - Parameter environment: only the directories for sockets matter.
  /// - Parameter authority: issues the certificates of intercepted hosts; nil if there are none.
  /// - Parameter accessLog: where the lines for requests go.
  /// - Parameter lostLines: how many lines for the log and for standard error have been lost, by reason.
  /// - Parameter logs: what is done with the log.
  /// - Parameter notice: is given a line for the person at the terminal when the proxy begins to stop. It is called on an event
  ///   loop, and must not wait for anything.
  /// - Parameter start: how the process was started, for an upgrade.
  /// - Parameter load: reads proxy.conf, and the authority that it names, again. It is called on a thread that may wait.
  /// - Throws: what was not available, as a sentence.
  public init(
    _ configuration: ProxyConfiguration, file: String, environment: [String: String],
    authority: CertificateAuthority?, logger: EventLog,
    accessLog: (sink: LogSink, style: LogStyle), lostLines: @escaping @Sendable () -> [LogLoss: UInt64],
    logs: LogActions,
    notice: @escaping @Sendable (String) -> Void, start: ProcessStart,
    load: @escaping @Sendable () throws(ConfigurationError) -> (ProxyConfiguration, CertificateAuthority?)
  ) throws(StartError) {
    let predecessor = start.predecessor
    self.predecessor = predecessor
    let passed: PassedSockets
    if let predecessor { passed = PassedSockets(of: predecessor) } else { passed = try .ofThisProcess() }
    DescriptorLimit.raise()
    // Before any thread exists: threads inherit the mask that keeps these signals for the loop.
    let drain = Drain(configuration.timeouts, notice: notice)
    self.drain = drain
    do {
      signals = try ProcessSignals(drain: drain, logger: logger, reopenLogs: { logs.reopen { _ in } })
      loops = try Self.makeLoops(configuration.loops ?? EventLoop.availableCores)
    } catch {
      throw StartError("the event loops cannot be made: \(error)")
    }

    memoryBound = MemoryBound(configuration.limits.memory)
    let memory = MemoryAccount(limit: memoryBound.bytes)
    let trust = try Self.makeTrust(configuration, logger)
    let registry = MetricsRegistry()
    let failures = ConnectFailures(registry)
    let dialers = try Self.makeDialers(loops, trust, memory, failures)
    let ways = TokenConnectionOptions()
    let store = try Self.makeStore(configuration.tokenStore)
    let events = TokenEventLog(logger: logger, registry: registry)
    let shared = SharedResources(
      memory: memory, clients: ClientCensus(limit: configuration.limits.mostConnectionsPerClient), registry: registry,
      limitNotices: LimitNotices(logger))
    let maker = GenerationMaker(
      loops: loops.count, shared: shared, trust: trust,
      tokens: Self.makeTokens(loops[0], dialers[0], ways, store, events, predecessor?.tokens), ways: ways,
      events: events,
      connectFailures: failures,
      logger: logger)
    self.maker = maker
    let prepared = try maker.prepare(configuration, authority)
    maker.commit(prepared)
    workers = zip(loops, dialers).map { loop, dialer in
      Worker(
        loop: loop, dialer: dialer, generation: prepared.generation, shared: shared,
        accessLog: AccessLog(sink: accessLog.sink, style: accessLog.style), logger: logger)
    }
    registry.registerProcessMetrics()
    registry.show(memory)
    registry.read(.clients) { Double(shared.clients.clients) }
    for reason in LogLoss.allCases {
      registry.read(.logLinesDropped, [.reason: reason.rawValue]) { Double(lostLines()[reason] ?? 0) }
    }
    let makeAdmin: @Sendable (ProxyConfiguration) throws(StartError) -> AdminServer? = {
      [loops, drain] configuration throws(StartError) in
      try Self.makeAdmin(configuration, predecessor, loops[0], registry, drain)
    }
    let binding = ListenerBinding(
      configuration.listen, workers: workers.count, passed, predecessor: predecessor,
      keepalive: configuration.timeouts.tcpKeepalive, logger: logger)
    var problems = binding.problems
    var admin: AdminServer?
    do throws(StartError) { admin = try makeAdmin(configuration) } catch { problems.append(error.of("admin")) }
    // If anything fails, bound addresses are given back, with the files of sockets.
    guard problems.isEmpty else { throw StartError(problems) }
    do throws(StartError) {
      for (index, worker) in workers.enumerated() {
        try ListenerBinding.start(binding.sockets.filter { $0.worker == index }, on: worker)
      }
    } catch {
      for worker in workers { worker.closeListeners() }
      throw error
    }
    listeners = binding.listeners
    adminAddress = admin?.address
    for dialer in dialers { dialer.ownListeners = binding.own }
    reloader = Reloader(
      Reloader.Parts(
        workers: workers, maker: maker, drain: drain, logger: logger, registry: registry, logs: logs,
        makeAdmin: makeAdmin),
      binding: binding.withoutSockets, admin: admin, path: file == "-" ? nil : file, load: load)
    let served = ServedProcess(
      file: ControlPlace.absolutePath(of: file), workers: workers, drain: drain, logger: logger,
      listeners: binding.listeners, admin: admin?.address, routes: configuration.routes.count, tokens: events.totals,
      predecessor: predecessor)
    let commands = ControlService.make(
      configuration.control, file: file, environment: environment, served, after: predecessor)
    control = commands.service
    warnings = binding.warnings + commands.warnings
    control?.hooks.takeReloads(from: reloader)
    control?.hooks.takeReopening(from: logs)
    upgrader = Upgrader(
      Upgrader.Parts(
        start: start, workers: workers, drain: drain, reloader: reloader, control: control, logger: logger,
        tokens: { [maker] in maker.validTokens }))
    control?.hooks.takeUpgrades(from: upgrader)
    reloader.onLevel = { [control] level in
      if let control { control.configured(level: level) } else { _ = logger.threshold.set(level) }
    }
    do throws(StartError) { try reloader.watchFile(configuration) } catch {
      for worker in workers { worker.closeListeners() }
      throw error
    }
  }

  /// Serves until a signal ends it and the last request is done.
  public func run() throws(StartError) {
    var threads: [LoopThread] = []
    drain.prepare(workers: workers, loops: loops)
    signals.onHangup = { [reloader] in reloader.reload(because: "SIGHUP") }
    signals.onUpgrade = { [upgrader] in upgrader.upgrade(because: "SIGUSR2", UpgradeRequest()) }
    do {
      try signals.start()
      for (index, loop) in loops.enumerated().dropFirst() {
        threads.append(try loop.startThread(named: "loop-\(index)"))
      }
      try control?.start()
    } catch {
      throw StartError("the event loops cannot be started: \(error)")
    }
    // Half of the memory that starting takes is code and tables that serving has no use for.
    clinux_release_clean_pages()
    if let predecessor {
      control?.claim()
      // The first thing that the loop does: all the others run already.
      loops[0].perform { predecessor.report(isServing: ()) }
    }
    loops[0].run()
    control?.stop()
    for thread in threads { thread.join() }
    if let passwords = maker.current?.generation.callers?.passwords {
      passwords.stop()
      passwords.join()
    }
  }

  /// Loads proxy.conf again, and calls `done`, on any thread, with the outcome. From any thread; returns at once.
  ///
  /// - Parameter cause: why, for the log.
  public func reload(because cause: String, _ done: @escaping @Sendable (ReloadOutcome) -> Void = { _ in }) {
    reloader.reload(because: cause, done)
  }

  /// What was done, for the last line that a person reads: requests served, and requests that were cut off.
  public var summary: (requests: UInt64, dropped: Int) {
    (workers.reduce(0) { $0 + $1.requestsServed.load(ordering: .relaxed) }, drain.dropped)
  }

  // MARK: Parts

  private static func makeLoops(_ count: Int) throws(Errno) -> [EventLoop] {
    var loops: [EventLoop] = []
    for _ in 0..<max(1, count) { loops.append(try EventLoop()) }
    return loops
  }

  private static func makeTrust(
    _ configuration: ProxyConfiguration, _ logger: EventLog
  ) throws(StartError) -> TrustStores {
    do {
      return try TrustStores(GenerationMaker.trusts(of: configuration)) { logger.record($0) }
    } catch {
      throw StartError("\(error)")
    }
  }

  private static func makeDialers(
    _ loops: [EventLoop], _ trust: TrustStores, _ memory: MemoryAccount, _ failures: ConnectFailures
  ) throws(StartError) -> [Dialer] {
    let (known, places) = (KnownAddresses(), SharedPlacesByOrigin())
    do {
      return try loops.map { loop throws(UpstreamError) in
        let dialer = try Dialer(loop: loop, trust: trust, known: known, account: memory, places: places)
        dialer.onConnectFailure = { failures.count($0) }
        return dialer
      }
    } catch {
      throw StartError("\(error)")
    }
  }

  private static func makeTokens(
    _ loop: EventLoop, _ dialer: Dialer, _ ways: TokenConnectionOptions, _ store: (any TokenStore)?,
    _ events: TokenEventLog, _ handedOver: Secret?
  ) -> TokenSources {
    let endpoint = TokenHTTPClient(loop: loop, dialer: dialer, ways: ways)
    return TokenSources(
      environment: TokenEnvironment(
        transport: { await endpoint.send($0) }, launch: { endpoint.launch($0) },
        schedule: { endpoint.schedule($0, $1) },
        onEvent: { events.record($0) }, store: store, onStoreProblem: { events.record($0, $1) }),
      handedOver: handedOver)
  }

  private static func makeStore(_ settings: TokenStoreSettings?) throws(StartError) -> (any TokenStore)? {
    guard let settings else { return nil }
    do {
      return try FileTokenStore(path: settings.directory, key: settings.key)
    } catch {
      throw StartError("the token store cannot be used: \(error.detail)")
    }
  }

  private static func makeAdmin(
    _ configuration: ProxyConfiguration, _ predecessor: Predecessor?, _ loop: EventLoop, _ registry: MetricsRegistry,
    _ drain: Drain
  ) throws(StartError) -> AdminServer? {
    guard let address = configuration.admin else { return nil }
    let passed: ListeningSocket?
    do throws(InheritedSocketError) { passed = try predecessor?.take(.admin, "\(address)")?.open() } catch {
      throw StartError("\(address): the socket of the process before this one \(error.complaint).")
    }
    do throws(Errno) {
      let socket: ListeningSocket
      if let passed {
        socket = passed
      } else {
        socket = try ListeningSocket(host: address.host, port: address.port, sharesPort: false)
      }
      let server = AdminServer(
        socket, on: loop, metrics: { registry.exposition() }, isDraining: { drain.hasBegun })
      try server.start()
      return server
    } catch {
      throw StartError.bind("\(address)", error)
    }
  }
}

/// An equal share of `total` for each of `count`, so that all shares together are not less than it.
func share(_ total: Int, of count: Int) -> Int {
  max(1, (total + count - 1) / count)
}

extension EventLog {
  /// Files of authorities have changed.
  fileprivate func record(_ change: TrustChange) {
    let file = change.settings.caFile ?? "system"
    guard let problem = change.problem else { return notice(.tls, [.caFile: "\(file)", .certificate: "reloaded"]) }
    warning(
      .tls,
      [
        .caFile: "\(file)", .certificate: "kept", .error: "\(problem)",
        .hint: "what was read before is still in use; the file is read again when it changes",
      ])
  }
}
