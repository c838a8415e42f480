public import Cryptography
internal import Glibc
internal import Secrets

/// Makes this machine trust an authority, and reports the steps on standard output.
public struct TrustInstallation {
  /// Why a step failed.
  public struct Failure: Error {
    /// The message for the user.
    public let message: String
    /// The exit code of the program (sysexits.h).
    public let exitCode: Int32
  }

  private let root: Certificate
  private let keystore: JavaKeystore?
  private let isKeystoreNamed: Bool

  /// - Parameter keystore: a Java keystore that should trust the authority too; nil for none.
  /// - Parameter isKeystoreNamed: whether the user named it; otherwise it was found.
  public init(root: Certificate, keystore: JavaKeystore?, isKeystoreNamed: Bool) {
    (self.root, self.keystore, self.isKeystoreNamed) = (root, keystore, isKeystoreNamed)
  }

  /// Runs all steps. Steps before a failure have been reported.
  public func run() throws(Failure) {
    try installInSystem()
    try installInKeystore()
  }

  private func installInSystem() throws(Failure) {
    guard let (trust, program) = SystemTrust.here else {
      // If the user named a keystore, that may be enough.
      if isKeystoreNamed { return }
      throw Failure(
        message: """
          there is neither update-ca-certificates nor update-ca-trust on this machine.
          Install ca-certificates, or do without --apply what "m2m-proxy ca trust" says.
          """, exitCode: EX_UNAVAILABLE)
    }
    guard geteuid() == 0 else {
      if isKeystoreNamed {
        print("The system's authorities stay as they are: changing them takes root.")
        return
      }
      throw Failure(
        message: "--apply changes the authorities of the whole machine: run it as root (sudo)", exitCode: EX_NOPERM)
    }
    try write(root.pem, to: trust.file)
    print("wrote  \(trust.file)")
    try run(Subprogram(program))
    for command in trust.undo { print("undo   \(command)") }
    print()
  }

  private func installInKeystore() throws(Failure) {
    guard let keystore else { return }
    if keystore.followsSystem {
      print("\(keystore.file) is filled from the system's authorities: nothing to do")
      return
    }
    let home = unsafe getenv("JAVA_HOME").map { ["\(unsafe String(cString: $0))/bin"] } ?? []
    guard let keytool = Subprogram.find("keytool", in: home) else {
      throw Failure(
        message: "\(keystore.file) needs keytool, which is not in PATH and not in JAVA_HOME", exitCode: EX_UNAVAILABLE)
    }
    if keystore.holdsOurs(keytool: keytool) { try run(keystore.removing(keytool: keytool)) }
    var name = Array("/tmp/m2m-proxy-ca-XXXXXX".utf8CString)
    let descriptor = unsafe mkstemp(&name)
    let path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard descriptor >= 0 else {
      let reason = unsafe String(cString: strerror(errno))
      throw Failure(message: "no temporary file can be made in /tmp: \(reason)", exitCode: EX_CANTCREAT)
    }
    close(descriptor)
    defer { unsafe _ = unlink(path) }
    try write(root.pem, to: path)
    try run(keystore.importing(path, keytool: keytool))
    print("undo   \(keystore.removing(keytool: keytool).text)")
  }

  private func write(_ text: String, to path: String) throws(Failure) {
    do throws(SensitiveFile.WriteFailure) {
      try SensitiveFile.write(Array(text.utf8).span, path: path, mode: 0o644, replaces: true)
    } catch {
      let reason = if case .failed(let reason) = error { reason } else { "it is there already" }
      throw Failure(message: "\(path) cannot be written: \(reason)", exitCode: EX_CANTCREAT)
    }
  }

  private func run(_ program: Subprogram) throws(Failure) {
    print("ran    \(program.text)")
    // Print our own output before the program's.
    fflush(nil)
    if let failure = program.run() {
      throw Failure(message: "\(program.words[0]) \(failure.reason)", exitCode: EX_OSERR)
    }
  }
}

/// How to make programs trust an authority, for each kind of program.
public struct TrustAdvice {
  /// Text for a terminal.
  public let text: String

  private static let exported = "/etc/ssl/m2m-proxy-ca.pem"

  /// Advice for the authority whose certificate is in `file`, an absolute path; nil if it has no file of its own.
  ///
  /// - Parameter command: returns the command line that runs m2m-proxy with some words for this authority.
  public init(file: String?, keystore: JavaKeystore?, command: (String) -> String) {
    let path = Subprogram(file ?? Self.exported).text
    let cacerts = keystore.map { "-keystore \(Subprogram($0.file).text)" } ?? "-cacerts"
    let bundle = "/etc/ssl/m2m-proxy-bundle.pem"
    var lines =
      file == nil ? ["Only the root, for the commands below", "  \(command("ca export --out \(path)"))", ""] : []
    for trust in SystemTrust.allCases {
      lines += [
        "\(trust.name): all programs that use the system's authorities", "  \(command("ca trust --apply")), or:",
      ]
      lines += ["  \(command("ca export --out \(trust.file)")) && \(trust.program)", ""]
    }
    lines += [
      "Java: the keystore of the runtime, unless the system fills it (Debian: package ca-certificates-java)",
      "  keytool -importcert -noprompt \(cacerts) -storepass changeit -alias \(JavaKeystore.alias) -file \(path)", "",
      "Node.js: its own authorities, and this one",
      "  NODE_EXTRA_CA_CERTS=\(path)", "",
      "Others take one file in place of all authorities. With the system's in it, they still trust those:",
      "  \(command("ca bundle --out \(bundle)"))", "",
      "Python's requests (certifi otherwise)",
      "  REQUESTS_CA_BUNDLE=\(bundle)", "",
      "Python's httpx (certifi otherwise), urllib and aiohttp, Ruby and Go",
      "  SSL_CERT_FILE=\(bundle)", "",
      "curl, wget, git, Perl's LWP and PHP's curl, where they do not use the system's",
      "  CURL_CA_BUNDLE=\(bundle)      or curl --cacert \(path)",
      "  wget --ca-certificate=\(bundle)", "  GIT_SSL_CAINFO=\(bundle)",
      "  PERL_LWP_SSL_CA_FILE=\(bundle)", "  php.ini: curl.cainfo = \(bundle)",
    ]
    text = lines.joined(separator: "\n")
  }
}
