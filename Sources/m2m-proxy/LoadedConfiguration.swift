internal import ArgumentParser
internal import Configuration
internal import Cryptography
internal import Glibc
internal import Interception
internal import ProxyCore
internal import Secrets

/// The configuration that a command works with, and where it came from.
struct LoadedConfiguration {
  /// What messages call the file.
  let path: String
  /// The file as on the command line, or as found; `-` for standard input.
  let named: String
  let configuration: ProxyConfiguration
  private let source: ConfigurationSource

  /// Reads the file that `option` names; if it has problems, prints all of them and ends the program with 64.
  ///
  /// - Parameters:
  ///   - runsPrograms: whether programs that print secrets are run; only what fetches tokens needs that.
  ///   - needsAuthority: whether a missing certificate authority is named beside the other problems.
  ///   - onHardening: is called with the setting `hardening` before any secret is read, and any program run.
  init(
    _ option: ConfigurationOption, runsPrograms: Bool = false, needsAuthority: Bool = false,
    onHardening: ((Bool) -> Void)? = nil
  ) throws {
    guard let path = Self.path(option.named) else { throw Self.noFile() }
    named = path
    source = path == "-" ? .standardInput : .file(path: path)
    self.path = source.name
    do {
      configuration = try ConfigurationLoader.load(
        source, environment: EnvironmentCustody.environment, runsPrograms: runsPrograms, needsAuthority: needsAuthority,
        onHardening: onHardening)
    } catch {
      Terminal.say("\(error)")
      throw ExitCode(EX_USAGE)
    }
  }

  /// Reads the same file again, and the certificate authority that it names.
  /// - Throws: every problem of the file.
  func loadAgain() throws(ConfigurationError) -> (ProxyConfiguration, CertificateAuthority?) {
    if case .standardInput = source {
      let problem = ConfigurationProblem(
        file: source.name, message: "cannot be read again; a file that --config names can be reloaded")
      throw ConfigurationError(problems: [problem])
    }
    let configuration = try ConfigurationLoader.load(
      source, environment: EnvironmentCustody.environment, runsPrograms: true)
    // There are threads that may look for a variable at this moment: they are wiped, and stay where they are.
    EnvironmentCustody.hide(configuration.secretVariables, removing: false)
    return (configuration, try InterceptionAuthority(configuration)?.authority)
  }

  /// The file that was `named`, or else the first of the usual paths that exists; nil if there is none.
  static func path(_ named: String?) -> String? {
    named ?? usualPaths.first { unsafe access($0, F_OK) == 0 }
  }

  /// Prints that there is no configuration file, and returns the exit code.
  static func noFile() -> ExitCode {
    Terminal.say(
      """
      m2m-proxy: there is no proxy.conf here, and no \(usualPaths[1]).
      Name one with --config, or start from proxy.conf.example.
      """)
    return ExitCode(EX_USAGE)
  }

  private static let usualPaths = ["proxy.conf", "/etc/m2m-proxy/proxy.conf"]
}

extension LoadedConfiguration {
  /// The certificate authority that its routes need, if any; prints what is wrong with it and ends the program if it
  /// cannot be used.
  func authority() throws -> InterceptionAuthority? {
    do { return try InterceptionAuthority(configuration) } catch {
      Terminal.say("\(error)")
      throw ExitCode(EX_USAGE)
    }
  }

  /// The section `interception`; ends the program if there is none.
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
  /// Its line in the report at start.
  var line: String {
    "ca       \((authority.root ?? authority.certificate).name)   until \(UTC.date(authority.notAfter))"
  }
}
