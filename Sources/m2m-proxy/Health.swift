internal import ArgumentParser
internal import Configuration
internal import Glibc
internal import ProxyCore

struct Health: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Checks whether a running proxy is healthy, for a container's health check.",
    discussion: "Exits with 0 when it is, with 1 when it is not, or does not respond on its admin listener.")

  @OptionGroup var file: ConfigurationOption

  @Option(help: "The admin listener's address, such as 127.0.0.1:9901, in place of what the configuration says.")
  var address: String?

  @Option(help: "The longest that the response may take, in seconds.")
  var timeout = 3

  func validate() throws {
    guard (1...3_600).contains(timeout) else {
      throw ValidationError("--timeout must be a number of seconds from 1 to 3600, not \(timeout).")
    }
  }

  func run() throws {
    let admin = try adminAddress()
    switch HealthProbe.ask(host: admin.host, port: admin.port, seconds: timeout) {
    case .healthy:
      print("ok")
    case .unhealthy(let reason):
      Terminal.say("m2m-proxy: \(admin): \(reason)")
      throw ExitCode(1)
    }
  }

  private func adminAddress() throws -> TCPAddress {
    if let address {
      guard let admin = TCPAddress(address) else {
        throw ValidationError("--address must be an IP address and a port such as 127.0.0.1:9901, not \"\(address)\".")
      }
      return admin
    }
    let loaded = try LoadedConfiguration(file)
    guard let admin = loaded.configuration.admin else {
      Terminal.say("m2m-proxy: \(loaded.path) says admin: off; without that listener there is no health check.")
      throw ExitCode(1)
    }
    return admin
  }
}
