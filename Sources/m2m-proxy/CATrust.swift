internal import ArgumentParser
internal import Cryptography
internal import Glibc
internal import Interception

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
      try TrustInstallation(root: root, keystore: keystore, isKeystoreNamed: javaKeystore != nil).run()
    } else {
      print(TrustAdvice(file: file.map(Self.absolute), keystore: keystore).text)
    }
  }

  private static func absolute(_ path: String) -> String {
    guard let resolved = unsafe realpath(path, nil) else { return path }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
  }
}
