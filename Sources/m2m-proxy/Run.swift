internal import ArgumentParser
internal import Configuration
internal import Glibc
internal import Logging
internal import ProxyCore
internal import Telemetry

struct Run: ParsableCommand {
  /// The word that starts the proxy; Sources/CStart knows it too.
  static let name = "run"
  static let configuration = CommandConfiguration(
    commandName: name, abstract: "Starts the proxy.",
    discussion: """
      Start-up lines go to standard error, log lines to standard output. SIGTERM, SIGINT and a \
      terminal that hangs up let running requests finish; a second SIGTERM ends the program at once. SIGUSR1, SIGUSR2 \
      and any other SIGHUP are ignored.
      """)

  @OptionGroup var file: ConfigurationOption

  func run() throws {
    let started = ContinuousClock.now
    // A closed output must not end the process.
    signal(SIGPIPE, SIG_IGN)
    try Terminal.holdStandardDescriptors()
    let service = ServiceManager()
    // What is wrong with these is written at once: nothing is served yet, and SIGTERM still ends the process by itself.
    let loaded = try LoadedConfiguration(file, runsPrograms: true)
    let authority = try loaded.authority()
    let settings = loaded.configuration.log
    let format: LogFormat = settings.format == .json ? .json : .logfmt
    let output = ServiceOutput()
    let level = Logger.Level(rawValue: settings.level.rawValue) ?? .info
    let logger = EventLog(
      Logger(label: "m2m-proxy") { _ in EventLogHandler(sink: output.log, format: format, level: level) })

    do {
      let proxy = try Proxy(
        loaded.configuration, authority: authority?.authority, logger: logger,
        accessLog: settings.access ? (output.log, format) : nil, droppedLines: { output.droppedLines },
        notice: {
          output.say($0)
          service.stopping()
        })
      output.say(StartReport(loaded, proxy, authority).text)
      output.say("ready in \((ContinuousClock.now - started).inMilliseconds) ms")
      service.ready()
      try proxy.run()
      let (requests, dropped) = proxy.summary
      output.finish(saying: "done: \(requests) \(requests == 1 ? "request" : "requests"), \(dropped) dropped")
    } catch {
      output.finish(saying: "m2m-proxy: \(error)")
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

/// What a person sees when the proxy starts: what is bound, what goes where, and what they should look at.
struct StartReport {
  let text: String

  init(_ loaded: LoadedConfiguration, _ proxy: Proxy, _ authority: InterceptionAuthority?) {
    let configuration = loaded.configuration
    let loops = proxy.loopCount == 1 ? "1 loop" : "\(proxy.loopCount) loops"
    var lines = ["m2m-proxy \(Product.version) · \(loaded.path) · \(loops)"]
    lines += proxy.listeners.map { "listen   \($0)" }
    if let admin = proxy.adminAddress { lines.append("admin    http://\(admin)   health, metrics") }
    lines.append("memory   \(proxy.memoryBound)")
    if let store = configuration.tokenStore { lines.append("tokens   \(store.directory)   encrypted, shared") }
    if let authority { lines.append(authority.line) }
    lines.append(RouteReport(configuration).text)
    let warnings = (configuration.warnings + (authority?.warnings ?? [])).map(\.description) + proxy.warnings
    lines += warnings.map { "warning  \($0)" }
    text = lines.joined(separator: "\n")
  }
}
