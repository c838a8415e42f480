internal import ArgumentParser
internal import Control
internal import Glibc
internal import Reactor

/// `m2m-proxy status`.
struct Status: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows how the running proxy is.",
    discussion: "Exits with 69 when no process responds.")

  @OptionGroup var file: ConfigurationOption
  @OptionGroup var socket: ControlOption

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let proxy = try RunningProxy(named: file.named, control: socket.control)
    let reply = try proxy.send("GET", json ? "/status" : "/status?text")
    print(reply.text)
    if let code = reply.exitCode { throw code }
  }
}

/// `m2m-proxy reload`.
struct Reload: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Has the running proxy load its configuration again, and waits for the outcome.",
    discussion: """
      Exits with 0 when the new configuration is in force, with 64 when the file has problems, with 71 when something that \
      it needs cannot be obtained, and with 69 when no process responds. Nothing changes unless all of it can.
      """)

  @OptionGroup var file: ConfigurationOption
  @OptionGroup var socket: ControlOption

  @Option(help: "The longest that it may take, in seconds.")
  var timeout = 60

  func validate() throws { try checkSeconds(timeout) }

  func run() throws {
    try RunningProxy(named: file.named, control: socket.control).command("/reload", patience: .seconds(timeout))
  }
}

/// `m2m-proxy drain`.
struct DrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "drain", abstract: "Lets the running proxy finish its requests, and stop.",
    discussion: "As SIGTERM does. Exits with 69 when no process responds.")

  @OptionGroup var file: ConfigurationOption
  @OptionGroup var socket: ControlOption

  @Flag(help: "Wait until the process has ended, and say how many requests are still in flight.")
  var wait = false

  @Option(help: "The longest that --wait waits, in seconds; then it exits with 75, and the proxy goes on.")
  var timeout = 600

  func validate() throws { try checkSeconds(timeout) }

  func run() throws {
    let proxy = try RunningProxy(named: file.named, control: socket.control)
    // Before the drain begins: afterwards the process may be gone at any moment.
    let end = wait ? try? proxy.client?.processEnd(patience: RunningProxy.patience) : nil
    let before = wait ? try proxy.send("GET", "/status").number("pid") : nil
    try proxy.command("/drain")
    guard wait else { return }
    guard try waitForEnd(of: proxy, before, end) else {
      Terminal.say("m2m-proxy: the proxy is still draining after \(timeout) s.")
      throw ExitCode(EX_TEMPFAIL)
    }
    print("The proxy has stopped.")
  }

  /// Whether it ends in time. Without a descriptor for the process, it counts as ended when it takes no more commands.
  private func waitForEnd(
    of proxy: RunningProxy, _ process: Int?, _ end: consuming ProcessEnd?
  ) throws -> Bool {
    let deadline = Instant.now + .seconds(timeout)
    var shown: Int?
    while Instant.now < deadline {
      let status = try? proxy.client?.send("GET", "/status", patience: RunningProxy.patience)
      // Another process may have replaced the one that ended.
      let isThere = status?.number("pid") == process
      if isThere, let count = status?.number("requests_in_flight"), count != shown {
        // At once, even if the output is not a terminal.
        try OutputFile.write(Array("\(count) \(count == 1 ? "request" : "requests") in flight\n".utf8), to: nil)
        shown = count
      }
      if let hasEnded = end?.wait(.milliseconds(200)) {
        if hasEnded { return true }
      } else {
        guard isThere else { return true }
        usleep(200_000)
      }
    }
    return false
  }
}

/// `m2m-proxy reopen-logs`.
struct ReopenLogs: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reopen-logs", abstract: "Has the running proxy open its log files again, after they were renamed.",
    discussion: "Exits with 71 when a file cannot be opened, and with 69 when no process responds.")

  @OptionGroup var file: ConfigurationOption
  @OptionGroup var socket: ControlOption

  func run() throws {
    try RunningProxy(named: file.named, control: socket.control).command("/reopen-logs")
  }
}

/// `m2m-proxy log-level LEVEL [for DURATION]`.
struct LogLevel: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "log-level", abstract: "Changes which lines the running proxy logs, for some time or for good.",
    usage: "m2m-proxy log-level <level> [for <duration>] [--config <file>] [--control <socket>]",
    discussion: """
      "log-level debug for 10m" comes back to the configured level by itself. The access log has no level, and stays as it is. \
      Exits with 69 when no process responds.
      """)

  @Argument(help: "debug, info, notice, warning or error.")
  var level: String

  @Argument(
    help: ArgumentHelp(
      "\"for\" and a duration such as 90s, 10m or 2h; until it is changed again without.", valueName: "for duration"))
  var duration: [String] = []

  @Option(name: [.short, .long], help: ArgumentHelp("The configuration file of the running proxy.", valueName: "file"))
  var config: String?

  @OptionGroup var socket: ControlOption

  func validate() throws {
    guard ["debug", "info", "notice", "warning", "error"].contains(level) else {
      throw ValidationError("The level must be debug, info, notice, warning or error, not \"\(level)\".")
    }
    guard duration.isEmpty || (duration.count == 2 && duration[0] == "for") else {
      throw ValidationError("Behind the level there may be \"for\" and a duration: m2m-proxy log-level debug for 10m.")
    }
    if let text = duration.last, ControlDuration.read(text) == nil {
      throw ValidationError("After \"for\" there must be \(ControlDuration.expected), not \"\(text)\".")
    }
  }

  func run() throws {
    let rest = duration.last.map { "&for=\($0)" } ?? ""
    try RunningProxy(named: config, control: socket.control).command("/log-level?level=\(level)\(rest)")
  }
}

/// Throws unless `seconds` is a number for --timeout.
func checkSeconds(_ seconds: Int) throws {
  guard (1...3_600).contains(seconds) else {
    throw ValidationError("--timeout must be a number of seconds from 1 to 3600, not \(seconds).")
  }
}
