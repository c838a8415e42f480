internal import ArgumentParser
internal import Cryptography
internal import Glibc
internal import Interception
internal import Secrets
internal import TrustSetup

struct CATrust: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trust",
    abstract: "Says how applications come to trust the authority, or has this machine trust it (--apply).",
    discussion: """
      --apply puts the certificate into the system's store (Debian, Ubuntu, RHEL, Fedora; as root), and into the Java \
      keystore that --java-keystore names, or JAVA_HOME has. It says what it did, and how to undo that. The other \
      programs are told by their own environment, which it prints.
      """)

  @OptionGroup var authority: AuthorityOption

  @Flag(help: "Do it on this machine, in place of saying how.")
  var apply = false

  @Option(
    help: ArgumentHelp(
      "A Java keystore, such as $JAVA_HOME/lib/security/cacerts; its password is changeit, or in \(JavaKeystore.passwordVariable).",
      valueName: "file"))
  var javaKeystore: String?

  func run() throws {
    let (root, file) = try authority.root()
    let keystore = javaKeystore.map { JavaKeystore(file: $0) } ?? JavaKeystore.ofJavaHome
    print("\(root.name), until \(UTC.date(root.notAfter))\nSHA-256 \(root.fingerprint)\nfor \(root.scope)\n")
    if apply {
      do throws(TrustInstallation.Failure) {
        try TrustInstallation(root: root, keystore: keystore, isKeystoreNamed: javaKeystore != nil).run()
      } catch {
        Terminal.say("m2m-proxy: \(error.message)")
        throw ExitCode(error.exitCode)
      }
    } else {
      print(TrustAdvice(file: file.map(Self.absolute), keystore: keystore, command: authority.command).text)
    }
  }

  private static func absolute(_ path: String) -> String {
    guard let resolved = unsafe realpath(path, nil) else { return path }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
  }
}

struct CABundle: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bundle",
    abstract: "Writes the system's roots and this authority's into one PEM file, for SSL_CERT_FILE and the like.",
    discussion: """
      For programs that take one file in place of all others: SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, \
      GIT_SSL_CAINFO. Write it anew when the system's roots are updated.
      """)

  @OptionGroup var authority: AuthorityOption

  @Option(
    help: ArgumentHelp(
      "The system's roots.", discussion: "Without it: \(usualRoots.joined(separator: ", ")), the first that is there.",
      valueName: "file"))
  var roots: String?

  @Option(help: ArgumentHelp("The file to write, in place of standard output.", valueName: "file"))
  var out: String?

  // Debian and Alpine, RHEL and Fedora, SUSE, others.
  private static let usualRoots = [
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
  ]

  func run() throws {
    let (root, _) = try authority.root()
    guard let path = roots ?? Self.usualRoots.first(where: { unsafe access($0, R_OK) == 0 }) else {
      Terminal.say(
        "m2m-proxy: the system's roots are in none of the usual files; install ca-certificates, or name a file with --roots"
      )
      throw ExitCode(EX_UNAVAILABLE)
    }
    let certificates: [Certificate]
    let tampering: String?
    do {
      (certificates, tampering) = try SensitiveFile.read(path: path, limit: 8 * 1024 * 1024) { bytes, file in
        (Certificate.all(inPEM: bytes), file.tampering(trustsOwner: true))
      }
    } catch {
      Terminal.say("m2m-proxy: file \(path) \(error.complaint(limit: "8 MB"))")
      throw ExitCode(EX_NOINPUT)
    }
    if let tampering {
      Terminal.say("m2m-proxy: file \(path) \(tampering)")
      throw ExitCode(EX_NOINPUT)
    }
    // It may be there already, from "ca trust --apply".
    let others = certificates.filter { $0.fingerprint != root.fingerprint }
    guard !others.isEmpty else {
      Terminal.say("m2m-proxy: file \(path) holds no other certificate in PEM form")
      throw ExitCode(EX_NOINPUT)
    }
    let text = "# \(root.name)\n\(root.pem)" + others.map(\.pem).joined()
    try OutputFile.write(Array(text.utf8), to: out)
    if let out { Terminal.say("wrote \(root.name) and \(others.count) roots of \(path) to \(out)") }
    Terminal.say("\(root.name) is for \(root.scope)")
  }
}
