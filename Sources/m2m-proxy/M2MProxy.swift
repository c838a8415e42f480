internal import ArgumentParser
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
    subcommands: [Run.self, Check.self, Health.self, HashPassword.self, CA.self])
}

/// Where the configuration is; the same for every command.
struct ConfigurationOption: ParsableArguments {
  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "The configuration file.",
      discussion: "Without it: proxy.conf in the working directory, else /etc/m2m-proxy/proxy.conf.",
      valueName: "file"))
  var config: String?
}
