internal import ArgumentParser
internal import Configuration
internal import Glibc

/// The configuration that a command works with, and where it came from.
struct LoadedConfiguration {
  let path: String
  let configuration: ProxyConfiguration

  /// Reads the file that `option` names; ends the program with 64 and every problem of the file if it has any.
  init(_ option: ConfigurationOption) throws {
    guard let path = option.config ?? Self.usualPaths.first(where: { unsafe access($0, F_OK) == 0 }) else {
      Terminal.say(
        """
        m2m-proxy: there is no proxy.conf here, and no \(Self.usualPaths[1]).
        Name one with --config, or start from proxy.conf.example.
        """)
      throw ExitCode(EX_USAGE)
    }
    self.path = path
    do {
      configuration = try ConfigurationLoader.load(path: path, environment: Self.environment)
    } catch {
      Terminal.say("\(error)")
      throw ExitCode(EX_USAGE)
    }
  }

  private static let usualPaths = ["proxy.conf", "/etc/m2m-proxy/proxy.conf"]

  private static var environment: [String: String] {
    var variables: [String: String] = [:]
    var entry = unsafe environ
    while let text = unsafe entry.pointee {
      let parts = unsafe String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
      unsafe entry += 1
    }
    return variables
  }
}
