internal import ArgumentParser
internal import Configuration
internal import Control
internal import Glibc
internal import ProxyCore

struct Health: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Checks whether a running proxy is healthy, for a container's health check.",
    discussion: """
      Asks over the control socket; where no process takes commands there, over the admin listener. \
      Exits with 0 when the proxy is healthy, with 1 when it is not, or does not respond.
      """)

  @OptionGroup var file: ConfigurationOption
  @OptionGroup var socket: ControlOption

  @Option(help: "The admin listener's address, such as 127.0.0.1:9901; then the control socket is not asked.")
  var address: String?

  @Option(help: "The longest that the response may take, in seconds.")
  var timeout = 3

  func validate() throws {
    try checkSeconds(timeout)
    guard address == nil || socket.control == nil else {
      throw ValidationError("--address and --control exclude each other.")
    }
  }

  func run() throws {
    if address == nil, let reply = try controlReply() {
      guard reply.kind == .done else {
        Terminal.say("m2m-proxy: \(reply.place): \(reply.text)")
        throw ExitCode(1)
      }
      return print("ok")
    }
    let admin = try adminAddress()
    switch HealthProbe.ask(host: admin.host, port: admin.port, seconds: timeout) {
    case .healthy:
      print("ok")
    case .unhealthy(let reason):
      Terminal.say("m2m-proxy: \(admin): \(reason)")
      throw ExitCode(1)
    }
  }

  /// The response of the process over the control socket; nil if the admin listener must be asked instead.
  private func controlReply() throws -> ControlClient.Reply? {
    let proxy = try RunningProxy(named: file.named, control: socket.control)
    guard let client = proxy.client else { return nil }
    do throws(ControlClient.Failure) {
      // A tenth of the time is for the way there and back: the process says which loop does not respond.
      return try client.send("GET", "/healthz?within=\(timeout * 900)", patience: .seconds(timeout))
    } catch {
      if case .noProcess = error, socket.control == nil { return nil }
      Terminal.say("m2m-proxy: \(proxy.explanation(error))")
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
