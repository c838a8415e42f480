internal import ArgumentParser
internal import Configuration
internal import Cryptography
internal import Glibc
internal import Interception
internal import ProxyCore
internal import Secrets
internal import SystemPackage

/// The key types for a new authority, as named on the command line.
enum AuthorityKeys: String, CaseIterable, ExpressibleByArgument {
  case p256 = "p-256"
  case rsa3072 = "rsa-3072"

  var kind: CertificateAuthority.Keys {
    switch self {
    case .p256: .p256
    case .rsa3072: .rsa3072
    }
  }

  var description: String {
    switch self {
    case .p256: "P-256"
    case .rsa3072: "RSA, 3,072 bits"
    }
  }
}

struct CAInit: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init",
    abstract: "Makes a certificate authority for the hosts whose routes say \"tunnel: intercept\".",
    discussion: """
      An ECDSA P-256 key, or RSA with --key rsa-3072 (mode 0600, in a directory with mode 0700), its certificate, and a root above that, whose key is \
      thrown away. Name constraints permit those hosts, and what is below them, and nothing else: an attacker with \
      the key can pass for no other host. Files that are there stay as they are unless --force is given.
      """)

  @OptionGroup var file: ConfigurationOption

  @Option(
    help: ArgumentHelp("For how long the authority is good, such as 3650d; from 1d to 36500d.", valueName: "days"))
  var lifetime = "3650d"

  @Option(
    help: ArgumentHelp(
      "The kind of its keys: p-256, or rsa-3072 for programs and trust stores that take RSA alone, Mono's as a rule. Certificates of hosts have RSA keys "
        + "then as well.", valueName: "kind"))
  var key = AuthorityKeys.p256

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
    let former: uid_t?
    let now = UTC.now()
    do {
      authority = try CertificateAuthority.make(
        name: Self.name(now), scope: unconstrained ? nil : scope, now: now,
        lifetime: lifetime.duration.components.seconds, keys: key.kind)
      former = try write(authority, settings)
    } catch let error as CryptographyError {
      Terminal.say("m2m-proxy: \(error)")
      throw ExitCode(EX_OSERR)
    }
    report(authority, settings, scope, former: former)
  }

  /// The machine of the authority, its date, and a number: two from one day must not be confused.
  private static func name(_ now: Int64) -> String {
    var characters = [CChar](repeating: 0, count: 256)
    let isKnown = unsafe gethostname(&characters, characters.count - 1) == 0
    let host = String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let number = String(UInt32.random(in: 0x1000_0000...UInt32.max), radix: 16)
    return "\(isKnown ? String(host.prefix(18)) : "unknown host"), \(UTC.date(now)), \(number)"
  }

  /// Writes both files, or neither; returns the previous owner of the key unless that is root.
  private func write(_ authority: CertificateAuthority, _ settings: InterceptionSettings) throws -> uid_t? {
    let files = [settings.keyFile, settings.certificateFile]
    if !force, let file = files.first(where: { unsafe access($0, F_OK) == 0 }) { throw explained(.exists, file) }
    let key = FilePath(settings.keyFile)
    let certificate = FilePath(settings.certificateFile)
    let keys = try AuthorityDirectory.take(key, beside: certificate)
    let certificates = try AuthorityDirectory.make(certificate)
    let former = try? keys.status(of: key.name).st_uid
    // Both new files are on disk before an old one is removed: the disk may be full.
    let newKey = try stage(try authority.keyPEM(), for: key, in: keys, mode: 0o600)
    defer { newKey.discard(in: keys) }
    let newCertificate = try stage(Secret(authority.pem), for: certificate, in: certificates, mode: 0o644)
    defer { newCertificate.discard(in: certificates) }
    let oldKey = "\(key.name).old-\(getpid())"
    do throws(Errno) { if force, former != nil { try keys.link(key.name, to: oldKey) } } catch {
      throw explained(SensitiveFile.WriteFailure(error), key.string)
    }
    // The key first: a certificate without its key would look like an authority.
    do throws(SensitiveFile.WriteFailure) { try newKey.place(in: keys) } catch {
      keys.remove(oldKey)
      throw explained(error, key.string)
    }
    do throws(SensitiveFile.WriteFailure) { try newCertificate.place(in: certificates) } catch {
      try restore(former == nil ? nil : oldKey, key, in: keys)
      throw explained(error, certificate.string)
    }
    keys.remove(oldKey)
    return former == geteuid() ? nil : former
  }

  /// Puts the old key, which was renamed, back; removes the new one if there was none.
  private func restore(_ old: String?, _ key: FilePath, in directory: borrowing OpenDirectory) throws {
    guard let old else { return directory.remove(key.name) }
    do throws(Errno) { try directory.rename(old, to: key.name) } catch {
      Terminal.say("m2m-proxy: the old key could not be put back: \(error). It is in \(key.directory)/\(old).")
    }
  }

  private func stage(
    _ content: Secret, for file: FilePath, in directory: borrowing OpenDirectory, mode: UInt32
  ) throws -> StagedFile {
    do throws(SensitiveFile.WriteFailure) {
      return try content.withBytes { bytes throws(SensitiveFile.WriteFailure) in
        // Users who could read or write the old file must not get the same access to the new one.
        try StagedFile(bytes, for: file.name, in: directory, mode: mode, replaces: force, keepsOwner: false)
      }
    } catch { throw explained(error, file.string) }
  }

  private func explained(_ failure: SensitiveFile.WriteFailure, _ path: String) -> ExitCode {
    let code = OutputFile.explained(failure, path)
    if failure == .exists {
      Terminal.say(
        "--force replaces the authority; applications then have to trust the new one (\(file.command("ca trust"))).")
    } else {
      Terminal.say("Key and certificate are as they were before.")
    }
    return code
  }

  private func report(
    _ authority: CertificateAuthority, _ settings: InterceptionSettings, _ scope: AuthorityScope, former: uid_t?
  ) {
    guard let root = authority.root else { return }
    var lines = [
      "certificate  \(settings.certificateFile)   \(root.name), until \(UTC.date(root.notAfter))",
      "key          \(settings.keyFile)   \(key.description); of the issuer below the root, whose own key is gone",
      "SHA-256      \(root.fingerprint)",
      unconstrained
        ? "for          any host: an attacker with the key can pass for all of them where the root is trusted"
        : "for          \(scope)",
      "",
      "Next: \"\(file.command("ca trust"))\" says how applications come to trust it.",
    ]
    if force { lines.append("A running proxy keeps the authority that it was started with: restart it.") }
    let directory = FilePath(settings.keyFile).directory
    let files = "\(directory) \(settings.keyFile) \(settings.certificateFile)"
    if let former {
      let command = "chown \(Accounts.word(forUser: former)) \(files)"
      lines.append(
        "The key belonged to \(Accounts.name(ofUser: former)) before, and does not now: \(command) gives it back.")
    } else if geteuid() == 0 {
      lines.append("If the proxy runs as another user than root, give it the key: chown USER \(files)")
    }
    print(lines.joined(separator: "\n"))
  }
}
