internal import ArgumentParser
internal import Configuration
internal import Control
internal import Glibc
internal import Locks
internal import Logging
internal import ProxyCore
internal import Secrets
internal import Telemetry

struct Run: ParsableCommand {
  /// The word that starts the proxy; Sources/CStart knows it too.
  static let name = "run"
  static let configuration = CommandConfiguration(
    commandName: name, abstract: "Starts the proxy.",
    discussion: """
      Start-up lines go to standard error, log lines to standard output. SIGTERM, SIGINT and a \
      terminal that hangs up let running requests finish; a second SIGTERM ends the program at once. Any other SIGHUP \
      loads the configuration again. SIGUSR1 opens the log file again. SIGUSR2 upgrades, \
      as the command upgrade does.
      """)

  @OptionGroup var file: ConfigurationOption

  func run() throws {
    let started = ContinuousClock.now
    // A closed output must not end the process.
    signal(SIGPIPE, SIG_IGN)
    try Terminal.holdStandardDescriptors()
    let service = ServiceManager()
    let predecessor = try Self.predecessor()
    if let predecessor { Terminal.listener.withLock { $0 = { predecessor.report($0) } } }
    // What is wrong with these is written at once: nothing is served yet, and SIGTERM still ends the process by itself.
    try takeEnvironment()
    let loaded = try LoadedConfiguration(
      file, runsPrograms: true, needsAuthority: true, onHardening: ProcessHardening.begin)
    EnvironmentCustody.hide(loaded.configuration.secretVariables, removing: true)
    let authority = try loaded.authority()
    let output = try openedOutput(loaded.configuration.log)
    let logger = output.events

    do {
      let proxy = try Proxy(
        loaded.configuration, file: loaded.named,
        environment: EnvironmentCustody.environment.values(of: ControlPlace.variables),
        authority: authority?.authority, logger: logger, accessLog: (output.log, output.style),
        lostLines: { output.lostLines }, logs: output.actions,
        notice: {
          output.say($0)
          logger.notice(.drain, [.detail: "\($0)"])
          service.stopping()
        },
        start: ProcessStart(
          service: service, predecessor: predecessor, readsStandardInput: loaded.named == "-"),
        load: { () throws(ConfigurationError) in try loaded.loadAgain() })
      logger.info(
        .start,
        [
          .version: "\(Product.version)", .file: "\(loaded.path)",
          .listener: "\(proxy.listeners.joined(separator: " "))",
        ])
      output.say(StartReport(loaded, proxy, authority).text)
      let took = ContinuousClock.now - started
      output.say("ready in \(took.inMilliseconds) ms")
      logger.info(.ready, [.took: .duration(took)])
      // After an upgrade the process before tells systemd.
      if predecessor == nil { service.ready() }
      try proxy.run()
      let (requests, dropped) = proxy.summary
      let done = "done: \(requests) \(requests == 1 ? "request" : "requests"), \(dropped) dropped"
      logger.notice(.stop, [.detail: "\(done)"])
      output.finish(saying: done)
    } catch {
      predecessor?.report("\(error)")
      output.finish(saying: "m2m-proxy: \(error)")
      throw ExitCode(71)
    }
  }

  /// The process that this one takes the place of.
  private static func predecessor() throws -> Predecessor? {
    do throws(StartError) { return try Predecessor.ofThisProcess() } catch {
      Terminal.say("m2m-proxy: \(error)")
      throw ExitCode(71)
    }
  }

  private func takeEnvironment() throws {
    do throws(HandOverError) { try EnvironmentCustody.receive() } catch {
      Terminal.say("m2m-proxy: \(error)")
      throw ExitCode(71)
    }
  }

  private func openedOutput(_ settings: LogSettings) throws -> ServiceOutput {
    do throws(LogOutputError) { return try ServiceOutput(settings) } catch {
      Terminal.say("m2m-proxy: \(error)")
      throw ExitCode(71)
    }
  }
}

extension Duration {
  /// Whole milliseconds.
  fileprivate var inMilliseconds: Int64 {
    components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
  }
}

/// What the operator sees when the proxy starts: bound addresses, routes, and warnings.
struct StartReport {
  let text: String

  init(_ loaded: LoadedConfiguration, _ proxy: Proxy, _ authority: InterceptionAuthority?) {
    let configuration = loaded.configuration
    let loops = proxy.loopCount == 1 ? "1 loop" : "\(proxy.loopCount) loops"
    var lines = ["m2m-proxy \(Product.version) · \(loaded.path) · \(loops)"]
    lines += proxy.listeners.map { "listen   \($0)" }
    if let admin = proxy.adminAddress { lines.append("admin    http://\(admin)   health, metrics") }
    if let control = proxy.controlPlace { lines.append("control  \(control)") }
    lines.append("memory   \(proxy.memoryBound)")
    lines.append("process  \(ProcessHardening.text)")
    if let store = configuration.tokenStore { lines.append("tokens   \(store.directory)   encrypted, shared") }
    if let authority { lines.append(authority.line) }
    lines.append(RouteReport(configuration).text)
    let warnings =
      (configuration.warnings + (authority?.warnings ?? [])).map(\.description) + proxy.warnings
      + ProcessHardening.warnings
    lines += warnings.map { "warning  \($0)" }
    text = lines.joined(separator: "\n")
  }
}
