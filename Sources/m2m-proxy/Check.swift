internal import ArgumentParser
internal import Configuration
internal import ProxyCore

struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Reads the configuration and says what is wrong with it, or how requests will be matched.",
    discussion: "Exits with 64 when there is a problem. Nothing is bound, and no token is fetched.")

  @OptionGroup var file: ConfigurationOption

  func run() throws {
    let loaded = try LoadedConfiguration(file)
    let authority = try loaded.authority()
    print(RouteReport(loaded.configuration).text)
    if let authority { print(authority.line) }
    print("memory   \(MemoryBound(loaded.configuration.limits.memory))")
    for warning in loaded.configuration.warnings + (authority?.warnings ?? []) { print("warning  \(warning)") }
    print("\(loaded.path) is valid.")
  }
}
