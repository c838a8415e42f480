internal import ArgumentParser
internal import Configuration
internal import ProxyCore

@main
struct M2MProxy: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "m2m-proxy",
    abstract: "Puts OAuth 2.0 tokens on the requests of applications that cannot get them.",
    discussion: """
      Applications send plain HTTP requests here, by http_proxy or by another base URL. Every request that matches a \
      route of proxy.conf goes on to its API with a valid Bearer token.
      """,
    version: "m2m-proxy \(Product.version)",
    subcommands: [
      Run.self, Check.self, Status.self, Reload.self, Upgrade.self, DrainCommand.self, Health.self, ReopenLogs.self,
      LogLevel.self,
      HashPassword.self, CA.self,
    ])
}

/// Where the configuration is; the same for every command.
struct ConfigurationOption: ParsableArguments {
  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "The configuration file; - reads standard input.",
      discussion: "Without it: proxy.conf in the working directory, else /etc/m2m-proxy/proxy.conf.",
      valueName: "file"))
  var config: String?

  @Argument(help: ArgumentHelp("The same as --config.", valueName: "file"))
  var positional: String?

  /// The file that was named either way.
  var named: String? { config ?? positional }

  /// The command line that runs `words` with the same configuration.
  func command(_ words: String) -> String {
    guard let named, named != "-" else { return "m2m-proxy \(words)" }
    return ConfigurationSource.command(words, reading: named)
  }

  func validate() throws {
    guard config == nil || positional == nil else {
      throw ValidationError("Name one configuration file: \(positional ?? "") or --config \(config ?? "").")
    }
  }
}
