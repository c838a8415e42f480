internal import Admin
internal import Bytes
internal import CLinux
internal import Callers
public import Configuration
internal import FileStore
public import Interception
internal import Outbound
internal import Reactor
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

/// The whole program put together: what is made, in which order, and what knows what.
public final class Proxy {
  private let signals: ProcessSignals
  private let loops: [EventLoop]
  private let workers: [Worker]
  private let drain: Drain
  private let passwords: PasswordVerifier?
  private let admin: AdminServer?

  /// What is really bound, as URLs; `unix:` and a path for a Unix socket.
  public let listeners: [String]
  /// What deserves a second look and proxy.conf alone could not tell, as sentences.
  public let warnings: [String]
  /// The address of the admin listener, if there is one.
  public var adminAddress: String? { admin?.address }
  /// How much memory buffers and connections may take, and who says so.
  public let memoryBound: MemoryBound
  /// How many event loops serve.
  public var loopCount: Int { loops.count }

  /// Binds every address of `configuration`; nothing is served before ``run()``.
  ///
  /// - Parameter authority: issues the certificates of hosts that are intercepted; nil where none are.
  /// - Parameter accessLog: where a line for every request goes; nil for nowhere.
  /// - Parameter droppedLines: how many lines for the log and for standard error have been dropped.
  /// - Parameter notice: is given a line for the person at the terminal when the proxy begins to stop. It is called on an event
  ///   loop, and must not wait for anything.
  /// - Throws: what was not available, as a sentence.
  public init(
    _ configuration: ProxyConfiguration, authority: CertificateAuthority?, logger: EventLog,
    accessLog: (sink: LogSink, format: LogFormat)?, droppedLines: @escaping @Sendable () -> UInt64,
    notice: @escaping @Sendable (String) -> Void
  ) throws(StartError) {
    let passed = try PassedSockets.ofThisProcess()
    DescriptorLimit.raise()
    // Before any thread exists: threads inherit the mask that keeps these signals for the loop.
    let drain = Drain(timeout: configuration.timeouts.drain, notice: notice)
    self.drain = drain
    do {
      signals = try ProcessSignals(drain: drain, logger: logger)
      loops = try Self.makeLoops(configuration.loops ?? EventLoop.availableCores)
    } catch {
      throw StartError("the event loops cannot be made: \(error)")
    }

    memoryBound = MemoryBound(configuration.limits.memory)
    let memory = MemoryAccount(limit: memoryBound.bytes)
    let trust = try Self.makeTrust(configuration, logger)
    let places = SharedPlacesByOrigin()
    let dialers: [Dialer]
    do {
      dialers = try loops.map { loop throws(UpstreamError) in
        try Dialer(loop: loop, trust: trust, account: memory, places: places)
      }
    } catch {
      throw StartError("\(error)")
    }

    let registry = MetricsRegistry()
    let ways = TokenConnectionOptions(configuration.credentials)
    let store = try Self.makeStore(configuration.tokenStore)
    let events = TokenEventLog(logger: logger, registry: registry)
    let tokens = Self.makeTokens(loops[0], dialers[0], ways, store, events)
    let clients = configuration.credentials.map { TokenClient($0, way: ways.number(for: $0), events: events) }
    for client in clients { registry.register(client) }
    let shared = SharedResources(
      memory: memory, clients: ClientCensus(limit: Self.connectionsPerClient(configuration.limits)), registry: registry)
    let hasPasswords = configuration.callers.contains { $0.password != nil }
    let passwords: PasswordVerifier?
    do {
      passwords =
        hasPasswords
        ? try PasswordVerifier(configuration.callers, account: memory, registry: registry, logger: logger) : nil
    } catch {
      throw StartError("the passwords of callers cannot be prepared: \(error)")
    }
    self.passwords = passwords
    let callers = configuration.callers.isEmpty ? nil : CallerDirectory(configuration.callers, passwords: passwords)
    let leafCertificates = try Self.makeLeaves(authority, configuration.interception)
    let generation = Generation(
      configuration, loops: loops.count, callers: callers, leafCertificates: leafCertificates
    ) { number, route in tokens.source(for: clients[number].grant(for: route)) }
    workers = zip(loops, dialers).map { loop, dialer in
      Worker(
        loop: loop, dialer: dialer, generation: generation, shared: shared,
        accessLog: accessLog.map { AccessLog(sink: $0.sink, format: $0.format) }, logger: logger)
    }
    for route in generation.routes { route.policy.concurrency?.register(registry, route: route.name) }
    registry.registerProcessMetrics()
    registry.show(memory)
    registry.read(.clients) { Double(shared.clients.clients) }
    if let leafCertificates { registry.read(.certificatesIssued) { Double(leafCertificates.issued) } }
    registry.read(.logLinesDropped) { Double(droppedLines()) }
    do throws(StartError) {
      let binding = try ListenerBinding(
        configuration.listen, workers, passed, keepalive: configuration.timeouts.tcpKeepalive, logger: logger)
      var problems = binding.problems
      do throws(StartError) { admin = try Self.makeAdmin(configuration, loops[0], registry, drain) } catch {
        admin = nil
        problems.append(error.of("admin"))
      }
      guard problems.isEmpty else { throw StartError(problems) }
      listeners = binding.listeners
      warnings = binding.warnings
      for dialer in dialers { dialer.ownListeners = binding.own }
    } catch {
      // No socket's file stays behind.
      for worker in workers { worker.closeListeners() }
      throw error
    }
  }

  /// Serves until a signal ends it and the last request is done.
  public func run() throws(StartError) {
    var threads: [LoopThread] = []
    drain.prepare(workers: workers, loops: loops)
    do {
      try signals.start()
      for (index, loop) in loops.enumerated().dropFirst() {
        threads.append(try loop.startThread(named: "loop-\(index)"))
      }
      if let passwords { threads.append(try passwords.start()) }
    } catch {
      throw StartError("the event loops cannot be started: \(error)")
    }
    // Half of the memory that starting takes is code and tables that serving has no use for.
    clinux_release_clean_pages()
    loops[0].run()
    passwords?.stop()
    for thread in threads { thread.join() }
  }

  /// What was done, for the last line that a person reads: requests served, and requests that were cut off.
  public var summary: (requests: UInt64, dropped: Int) {
    (workers.reduce(0) { $0 + $1.requestsServed.load(ordering: .relaxed) }, drain.dropped)
  }

  // MARK: Parts

  /// How many connections one client may have: some are left to others, also where there are fewer than it may have by itself.
  private static func connectionsPerClient(_ limits: Limits) -> Int {
    guard let share = limits.clientShare else { return limits.connectionsPerClient }
    let all = min(limits.connections, DescriptorLimit.forConnections)
    return min(limits.connectionsPerClient, share.part(of: all))
  }

  private static func makeLoops(_ count: Int) throws(Errno) -> [EventLoop] {
    var loops: [EventLoop] = []
    for _ in 0..<max(1, count) { loops.append(try EventLoop()) }
    return loops
  }

  private static func makeTrust(
    _ configuration: ProxyConfiguration, _ logger: EventLog
  ) throws(StartError) -> TrustStores {
    let settings = configuration.routes.map(\.trust) + configuration.credentials.map(\.trust)
    do {
      return try TrustStores(settings) { logger.record($0) }
    } catch {
      throw StartError("\(error)")
    }
  }

  private static func makeTokens(
    _ loop: EventLoop, _ dialer: Dialer, _ ways: TokenConnectionOptions, _ store: (any TokenStore)?,
    _ events: TokenEventLog
  ) -> TokenSources {
    let endpoint = TokenHTTPClient(loop: loop, dialer: dialer, ways: ways.options)
    return TokenSources(
      environment: TokenEnvironment(
        transport: { await endpoint.send($0) }, launch: { endpoint.launch($0) },
        schedule: { endpoint.schedule($0, $1) },
        onEvent: { events.record($0) }, store: store, onStoreProblem: { events.record($0, $1) }))
  }

  private static func makeStore(_ settings: TokenStoreSettings?) throws(StartError) -> (any TokenStore)? {
    guard let settings else { return nil }
    do {
      return try FileTokenStore(path: settings.directory, key: settings.key)
    } catch {
      throw StartError("the token store cannot be used: \(error.detail)")
    }
  }

  private static func makeLeaves(
    _ authority: CertificateAuthority?, _ settings: InterceptionSettings?
  ) throws(StartError) -> LeafCertificates? {
    guard let authority, let settings else { return nil }
    do {
      return try LeafCertificates(
        authority, lifetime: settings.leafLifetime.duration, minimum: settings.minimum)
    } catch {
      throw StartError("the certificates of intercepted hosts cannot be made: \(error)")
    }
  }

  private static func makeAdmin(
    _ configuration: ProxyConfiguration, _ loop: EventLoop, _ registry: MetricsRegistry, _ drain: Drain
  ) throws(StartError) -> AdminServer? {
    guard let address = configuration.admin else { return nil }
    do {
      let server = try AdminServer(
        host: address.host, port: address.port, on: loop, metrics: { registry.exposition() },
        isDraining: { drain.hasBegun })
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
