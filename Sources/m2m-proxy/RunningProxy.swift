internal import ArgumentParser
internal import Configuration
internal import Control
internal import Glibc
internal import Secrets

/// Names the control socket of the running proxy, in place of the one in its configuration.
struct ControlOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The control socket of the running proxy, in place of the one that belongs to the configuration.",
      discussion: "As the proxy shows it at start: a path, or @ and a name.", valueName: "socket"))
  var control: String?
}

/// A running proxy, as commands find it.
struct RunningProxy {
  /// The client of its control socket; nil if its configuration says `control: off`.
  let client: ControlClient?
  private let configuration: String

  /// How long a process may take for a command that needs no waiting.
  static let patience = Duration.seconds(5)

  /// The proxy with the configuration file `named`, or at the socket `control`. Ends the program if no configuration
  /// says where it is.
  init(named: String?, control: String?) throws {
    if let control {
      configuration = named ?? ""
      client = ControlClient([ControlPlace(control)])
      return
    }
    guard let path = LoadedConfiguration.path(named) else { throw LoadedConfiguration.noFile() }
    configuration = path
    let environment = EnvironmentCustody.environment
    // The file may have been edited since the process read it, and need not be right.
    let setting = path == "-" ? nil : ConfigurationLoader.control(path: path, environment: environment)
    switch setting ?? .automatic {
    case .off: client = nil
    case .path(let path): client = ControlClient([.file(path)])
    case .automatic:
      client = ControlClient(
        try ControlPlace.usual(
          configuration: path, environment: environment.values(of: ControlPlace.variables)))
    }
  }

  /// Sends a request and returns the reply; ends the program with 69 if there is none.
  func send(_ method: String, _ target: String, patience: Duration = patience) throws -> ControlClient.Reply {
    guard let client else {
      Terminal.say("m2m-proxy: \(configuration) says control: off, so that commands cannot reach the process.")
      throw ExitCode(EX_UNAVAILABLE)
    }
    do throws(ControlClient.Failure) {
      return try client.send(method, target, patience: patience)
    } catch {
      Terminal.say("m2m-proxy: \(explanation(error))")
      throw ExitCode(EX_UNAVAILABLE)
    }
  }

  /// Sends a command, and prints the result; ends the program with 64 or more unless it succeeded.
  func command(_ target: String, patience: Duration = patience) throws {
    let reply = try send("POST", target, patience: patience)
    guard let code = reply.exitCode else { return try OutputFile.write(Array("\(reply.text)\n".utf8), to: nil) }
    // Problems of the file look as `check` shows them.
    let isList = reply.kind == .badFile || reply.text.contains("\n")
    Terminal.say(isList ? reply.text : "m2m-proxy: \(reply.text)")
    throw code
  }

  /// The text about `failure` for a person.
  func explanation(_ failure: ControlClient.Failure) -> String {
    switch failure {
    case .noReply(let place, let reason): return "\(place): \(reason)"
    case .noProcess(let reasons):
      let places = client?.places.map(\.description).joined(separator: ", ") ?? ""
      let which = configuration.isEmpty ? "" : " with the configuration \(configuration)"
      let details = reasons.map { "\n\($0)" }.joined()
      return """
        no process\(which) takes commands at \(places).\(details)
        If one runs, it says at start where: "control" of its first lines; run the command as its user, or name that with --control.
        """
    }
  }
}

extension ControlClient.Reply {
  /// The exit code of the command; nil if all is well.
  var exitCode: ExitCode? {
    switch kind {
    case .done: nil
    case .misused, .badFile: ExitCode(EX_USAGE)
    case .unavailable: ExitCode(EX_OSERR)
    case .unwell: ExitCode(1)
    case .unsupported, nil: ExitCode(EX_SOFTWARE)
    }
  }
}
