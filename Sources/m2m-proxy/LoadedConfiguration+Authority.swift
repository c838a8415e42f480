internal import ArgumentParser
internal import Configuration
internal import Cryptography
internal import Glibc
internal import Interception
internal import ProxyCore

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
