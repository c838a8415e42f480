internal import ArgumentParser
internal import Configuration
internal import Cryptography
internal import Glibc
internal import Interception
internal import Secrets

struct CA: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ca",
    abstract: "Makes the certificate authority of interception, and lets applications trust it.",
    discussion: """
      Applications with https:// URLs get a token only if TLS ends at the proxy, on routes with "tunnel: intercept". \
      They have to trust the authority whose certificates the proxy shows them: "ca init" makes it, "ca trust" says how.
      """,
    subcommands: [CAInit.self, CATrust.self, CAExport.self, CABundle.self])
}

/// Which authority a command is about.
struct AuthorityOption: ParsableArguments {
  @OptionGroup var file: ConfigurationOption

  @Option(
    help: ArgumentHelp(
      "The PEM file of the authority's certificate, in place of the one that the configuration names.",
      valueName: "file"))
  var certificate: String?

  /// The command line that runs `words` with the same authority.
  func command(_ words: String) -> String {
    certificate.map { "m2m-proxy \(words) --certificate \($0.asShellWord)" } ?? file.command(words)
  }

  /// The certificate that applications have to trust, and its file if it contains no other; ends the program if there is none.
  func root() throws -> (certificate: Certificate, file: String?) {
    let settings = certificate == nil ? try LoadedConfiguration(file).interception() : nil
    let path = certificate ?? settings?.certificateFile ?? ""
    let certificates: [Certificate]
    do { certificates = try CertificateAuthority.certificates(file: path, keyFile: settings?.keyFile) } catch {
      Terminal.say("m2m-proxy: \(error)\(settings?.remedyIfMissing ?? "")")
      throw ExitCode(EX_USAGE)
    }
    guard let root = certificates.last, root.isSelfIssued else {
      Terminal.say(
        """
        m2m-proxy: file \(path) ends with \(certificates.last?.name ?? ""), which is not a root.
        Applications have to trust the root above it: add its certificate at the end of the file.
        """)
      throw ExitCode(EX_USAGE)
    }
    return (root, certificates.count == 1 ? path : nil)
  }
}

extension Certificate {
  /// What trusting it means, to follow "for": the hosts that its name constraints permit.
  var scope: String {
    permittedHosts ?? "any host! An attacker with its key can pass for every server to clients that trust it"
  }
}

struct CAExport: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Writes the certificate that applications have to trust: the root, without its key.")

  @OptionGroup var authority: AuthorityOption

  @Flag(help: "In DER form, which Windows and some keystores want, in place of PEM.")
  var der = false

  @Option(help: ArgumentHelp("The file to write, in place of standard output.", valueName: "file"))
  var out: String?

  func run() throws {
    let (root, _) = try authority.root()
    try OutputFile.write(der ? root.der : Array(root.pem.utf8), to: out)
    if let out { Terminal.say("wrote \(root.name) to \(out)") }
    // On standard error, since the certificate may go to standard output.
    Terminal.say("\(root.name) is for \(root.scope)")
  }
}
