internal import ArgumentParser
internal import Configuration
internal import Cryptography
internal import Glibc
internal import Interception
internal import ProxyCore
internal import Secrets

struct CAInit: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init",
    abstract: "Makes a certificate authority for the hosts whose routes say \"tunnel: intercept\".",
    discussion: """
      An ECDSA P-256 key (mode 0600), its certificate, and a root above that, whose key is thrown away. Name constraints \
      permit those hosts, and what is below them, and nothing else: whoever steals the key can pass for no other host. \
      Files that are there stay as they are unless --force is given.
      """)

  @OptionGroup var file: ConfigurationOption

  @Option(
    help: ArgumentHelp("For how long the authority is good, such as 3650d; from 1d to 36500d.", valueName: "days"))
  var lifetime = "3650d"

  @Flag(
    help:
      "Replace an authority that is there. Applications then have to trust the new one, and the proxy has to be restarted."
  )
  var force = false

  @Flag(
    help:
      "Without name constraints: no new authority when hosts change, and one that can pass for any host if its key is stolen."
  )
  var unconstrained = false

  func run() throws {
    guard let lifetime = CertificateLifetime(lifetime, in: CertificateLifetime.ofAuthorities) else {
      throw ValidationError(
        "--lifetime must be a number of days from 1d to 36500d, such as 3650d, not \"\(lifetime)\".")
    }
    let loaded = try LoadedConfiguration(file)
    let settings = try loaded.interception()
    let scope = AuthorityScope(loaded.configuration)
    guard unconstrained || !scope.isEmpty else {
      Terminal.say(
        """
        m2m-proxy: no route in \(loaded.path) says "tunnel: intercept", so that there is no host for the authority.
        Write it for a route with match, or make an authority for any host with --unconstrained.
        """)
      throw ExitCode(EX_USAGE)
    }
    let authority: CertificateAuthority
    let now = UTC.now()
    do {
      authority = try CertificateAuthority.make(
        name: Self.name(now), scope: unconstrained ? nil : scope, now: now,
        lifetime: lifetime.duration.components.seconds)
      try write(authority, settings)
    } catch let error as CryptographyError {
      Terminal.say("m2m-proxy: \(error)")
      throw ExitCode(EX_OSERR)
    }
    report(authority, settings, scope)
  }

  /// What machine and program the authority belongs to, and since when.
  private static func name(_ now: Int64) -> String {
    var characters = [CChar](repeating: 0, count: 256)
    let isKnown = unsafe gethostname(&characters, characters.count - 1) == 0
    let host = String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return "\(isKnown ? String(host.prefix(28)) : "unknown host"), \(UTC.date(now))"
  }

  private func write(_ authority: CertificateAuthority, _ settings: InterceptionSettings) throws {
    let files = [settings.keyFile, settings.certificateFile]
    if !force, let file = files.first(where: { unsafe access($0, F_OK) == 0 }) { throw Self.isThere(file) }
    for file in files { Self.makeDirectory(of: file) }
    // The key first: a certificate without its key would look like an authority.
    try OutputFile.write(
      try authority.keyPEM(), to: settings.keyFile, mode: 0o600, replaces: force, isThere: Self.isThere)
    try OutputFile.write(
      Secret(authority.pem), to: settings.certificateFile, mode: 0o644, replaces: force,
      isThere: Self.isThere)
  }

  private static func isThere(_ file: String) -> ExitCode {
    Terminal.say(
      """
      m2m-proxy: \(file) is there already, and stays as it is.
      --force replaces the authority; applications then have to trust the new one (m2m-proxy ca trust).
      """)
    return ExitCode(EX_CANTCREAT)
  }

  /// Makes the directory of `file` if only that is missing; whoever writes the file will say what is wrong.
  private static func makeDirectory(of file: String) {
    guard let slash = file.lastIndex(of: "/"), slash != file.startIndex else { return }
    unsafe _ = mkdir(String(file[..<slash]), 0o755)
  }

  private func report(_ authority: CertificateAuthority, _ settings: InterceptionSettings, _ scope: AuthorityScope) {
    guard let root = authority.root else { return }
    var lines = [
      "certificate  \(settings.certificateFile)   \(root.name), until \(UTC.date(root.notAfter))",
      "key          \(settings.keyFile)   P-256; of the issuer below the root, whose own key is gone",
      "SHA-256      \(root.fingerprint)",
      unconstrained
        ? "for          any host: whoever steals the key can pass for all of them where the root is trusted"
        : "for          \(scope)",
      "",
      "Next: \"m2m-proxy ca trust\" says how applications come to trust it.",
    ]
    if force { lines.append("A proxy that runs goes on with the authority that it was started with: restart it.") }
    if geteuid() == 0, !force {
      lines.append("If the proxy runs as another user than root, give it the key: chown USER \(settings.keyFile)")
    }
    print(lines.joined(separator: "\n"))
  }
}
