internal import ArgumentParser
internal import Configuration
internal import Glibc
internal import Logging
internal import ProxyCore
internal import Telemetry

struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Starts the proxy.",
    discussion: """
      Start-up lines go to standard error, log lines to standard output. SIGTERM and SIGINT let running requests \
      finish; a second one ends the program at once.
      """)

  @OptionGroup var file: ConfigurationOption

  func run() throws {
    let started = ContinuousClock.now
    // Whoever reads our output may go away; that is no reason to end.
    signal(SIGPIPE, SIG_IGN)
    try Terminal.holdStandardDescriptors()
    let service = ServiceManager()
    let loaded = try LoadedConfiguration(file)
    let authority = try loaded.authority()
    let settings = loaded.configuration.log
    let format: LogFormat = settings.format == .json ? .json : .logfmt
    let sink = LogSink(descriptor: STDOUT_FILENO)
    let level = Logger.Level(rawValue: settings.level.rawValue) ?? .info
    let logger = Logger(label: "m2m-proxy") { _ in EventLogHandler(sink: sink, format: format, level: level) }

    let proxy: Proxy
    do {
      proxy = try Proxy(
        loaded.configuration, authority: authority?.authority, logger: logger,
        accessLog: settings.access ? (sink, format) : nil,
        notice: {
          Terminal.say($0)
          service.stopping()
        })
    } catch {
      Terminal.say("m2m-proxy: \(error)")
      throw ExitCode(71)
    }
    Terminal.say(StartReport(loaded, proxy, authority).text)
    Terminal.say("ready in \((ContinuousClock.now - started).inMilliseconds) ms")
    service.ready()
    do { try proxy.run() } catch {
      Terminal.say("m2m-proxy: \(error)")
      throw ExitCode(71)
    }
    sink.finish()
    let (requests, dropped) = proxy.summary
    Terminal.say("done: \(requests) \(requests == 1 ? "request" : "requests"), \(dropped) dropped")
  }
}

extension Duration {
  /// Whole milliseconds.
  fileprivate var inMilliseconds: Int64 {
    components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
  }
}
