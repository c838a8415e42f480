internal import Addresses
public import Configuration
public import Interception

/// The certificate authority that proxy.conf names, checked against its routes.
public struct InterceptionAuthority: Sendable {
  /// The authority, which may issue certificates for all intercepted hosts.
  public let authority: CertificateAuthority
  /// Problems that deserve a second look.
  public let warnings: [ConfigurationProblem]

  /// The authority that the routes of `configuration` need; nil if none has `tunnel: intercept`.
  ///
  /// - Parameter now: the time in seconds since 1970.
  public init?(_ configuration: ProxyConfiguration, now: Int64 = UTC.now()) throws(ConfigurationError) {
    let routes = configuration.routes.filter { $0.tunnel == .intercept }
    guard let settings = configuration.interception, !routes.isEmpty else { return nil }
    let authority: CertificateAuthority
    do {
      authority = try CertificateAuthority.load(
        certificateFile: settings.certificateFile, keyFile: settings.keyFile, now: now)
    } catch {
      throw ConfigurationError(problems: [Self.problem(error, settings)])
    }
    let place = settings.certificatePlace
    let problems = routes.flatMap { route in
      route.interceptedMatches.filter { !authority.permits($0) }.map { match in
        place.problem(
          "names the file \(settings.certificateFile), whose name constraints do not permit \(match.hostPattern) of the "
            + "route \(route.name); \(Self.makeAnew(place.file))")
      }
    }
    guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
    self.authority = authority
    guard authority.notAfter < now + CertificateAuthority.soon else {
      warnings = []
      return
    }
    warnings = [
      place.problem(
        "names the file \(settings.certificateFile), which expires on \(UTC.date(authority.notAfter)); \(Self.makeAnew(place.file))"
      )
    ]
  }

  private static func makeAnew(_ file: String) -> String {
    "\"\(ConfigurationSource.command("ca init --force", reading: file))\" makes another authority, which applications then "
      + "have to trust (\(ConfigurationSource.command("ca trust", reading: file)))"
  }

  private static func problem(_ error: AuthorityError, _ settings: InterceptionSettings) -> ConfigurationProblem {
    switch error {
    case .certificate(let file, let complaint):
      return settings.certificatePlace.problem("names the file \(file), which \(complaint)\(settings.remedyIfMissing)")
    case .expired(let file, let complaint):
      return settings.certificatePlace.problem(
        "names the file \(file), which \(complaint); \(makeAnew(settings.certificatePlace.file))")
    case .key(let file, let complaint):
      return settings.keyPlace.problem("names the file \(file), which \(complaint)")
    }
  }
}

extension CertificateAuthority {
  /// Whether it may issue certificates for the hosts that `match` covers.
  fileprivate func permits(_ match: Match) -> Bool {
    CertifiedHost(match.isWildcard ? "any-host.\(match.host)" : match.host).map(permits) ?? false
  }
}

extension Match {
  /// The host, or the wildcard.
  fileprivate var hostPattern: String { isWildcard ? "*.\(host)" : host }
}

extension AuthorityScope {
  /// The hosts that `configuration` intercepts; for a wildcard, the domain.
  public init(_ configuration: ProxyConfiguration) {
    let matches = configuration.routes.flatMap(\.interceptedMatches)
    self.init(matches.compactMap { CertifiedHost($0.host) })
  }
}
