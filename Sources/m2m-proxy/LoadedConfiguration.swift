internal import ArgumentParser
internal import Configuration
internal import Cryptography
internal import Glibc
internal import Interception
internal import ProxyCore

/// The configuration that a command works with, and where it came from.
struct LoadedConfiguration {
  let path: String
  let configuration: ProxyConfiguration
  private let source: ConfigurationSource

  /// Reads the file that `option` names; ends the program with 64 and every problem of the file if it has any.
  ///
  /// - Parameters:
  ///   - runsPrograms: whether programs that print secrets are run; only what fetches tokens needs that.
  ///   - needsAuthority: whether a missing certificate authority is named beside the other problems.
  init(_ option: ConfigurationOption, runsPrograms: Bool = false, needsAuthority: Bool = false) throws {
    guard let path = option.named ?? Self.usualPaths.first(where: { unsafe access($0, F_OK) == 0 }) else {
      Terminal.say(
        """
        m2m-proxy: there is no proxy.conf here, and no \(Self.usualPaths[1]).
        Name one with --config, or start from proxy.conf.example.
        """)
      throw ExitCode(EX_USAGE)
    }
    source = path == "-" ? .standardInput : .file(path: path)
    self.path = source.name
    do {
      configuration = try ConfigurationLoader.load(
        source, environment: Self.environment, runsPrograms: runsPrograms, needsAuthority: needsAuthority)
    } catch {
      Terminal.say("\(error)")
      throw ExitCode(EX_USAGE)
    }
  }

  /// The file; nil for standard input.
  var file: String? { if case .file(let path) = source { path } else { nil } }

  /// Reads the same file again, and the certificate authority that it names.
  /// - Throws: Every problem of the file.
  func loadAgain() throws(ConfigurationError) -> (ProxyConfiguration, CertificateAuthority?) {
    if case .standardInput = source {
      let problem = ConfigurationProblem(
        file: source.name, message: "cannot be read again; a file that --config names can be reloaded")
      throw ConfigurationError(problems: [problem])
    }
    let configuration = try ConfigurationLoader.load(source, environment: Self.environment, runsPrograms: true)
    return (configuration, try InterceptionAuthority(configuration)?.authority)
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

extension LoadedConfiguration {
  /// The certificate authority that its routes need, if they do; ends the program with what is wrong with it.
  func authority() throws -> InterceptionAuthority? {
    do { return try InterceptionAuthority(configuration) } catch {
      Terminal.say("\(error)")
      throw ExitCode(EX_USAGE)
    }
  }

  /// The section `interception`; ends the program where there is none.
  func interception() throws -> InterceptionSettings {
    if let settings = configuration.interception { return settings }
    Terminal.say(
      """
      m2m-proxy: \(path) has no section "interception", so that there is no certificate authority.
      Write "interception: {}" at its top level, and "tunnel: intercept" for the routes that it is for.
      """)
    throw ExitCode(EX_USAGE)
  }
}

extension InterceptionAuthority {
  /// What is said about it at start.
  var line: String {
    "ca       \((authority.root ?? authority.certificate).name)   until \(UTC.date(authority.notAfter))"
  }
}
