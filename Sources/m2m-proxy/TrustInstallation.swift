internal import ArgumentParser
internal import Cryptography
internal import Glibc

/// Has this machine trust an authority, and says what was done.
struct TrustInstallation {
  let root: Certificate
  let keystore: JavaKeystore?
  /// Whether the keystore is one that was asked for, not one that was found.
  let isKeystoreNamed: Bool

  /// Ends the program where something cannot be done; what was done before that was told.
  func run() throws {
    try installInSystem()
    try installInKeystore()
  }

  private func installInSystem() throws {
    guard let (trust, program) = SystemTrust.here else {
      // Whoever names a keystore may want nothing else.
      if isKeystoreNamed { return }
      Terminal.say(
        """
        m2m-proxy: there is neither update-ca-certificates nor update-ca-trust on this machine.
        Install ca-certificates, or do without --apply what "m2m-proxy ca trust" says.
        """)
      throw ExitCode(EX_UNAVAILABLE)
    }
    guard geteuid() == 0 else {
      if isKeystoreNamed {
        print("The system's authorities stay as they are: changing them takes root.")
        return
      }
      Terminal.say("m2m-proxy: --apply changes the authorities of the whole machine: run it as root (sudo)")
      throw ExitCode(EX_NOPERM)
    }
    try OutputFile.write(Array(root.pem.utf8), to: trust.file)
    print("wrote  \(trust.file)")
    try run(Subprogram(program))
    for command in trust.undo { print("undo   \(command)") }
    print()
  }

  private func installInKeystore() throws {
    guard let keystore else { return }
    if keystore.followsSystem {
      print("\(keystore.file) is filled from the system's authorities: nothing to do")
      return
    }
    let home = unsafe getenv("JAVA_HOME").map { ["\(unsafe String(cString: $0))/bin"] } ?? []
    guard let keytool = Subprogram.find("keytool", in: home) else {
      Terminal.say("m2m-proxy: \(keystore.file) needs keytool, which is not in PATH and not in JAVA_HOME")
      throw ExitCode(EX_UNAVAILABLE)
    }
    if keystore.holdsOurs(keytool: keytool) { try run(keystore.removing(keytool: keytool)) }
    var name = Array("/tmp/m2m-proxy-ca-XXXXXX".utf8CString)
    let descriptor = unsafe mkstemp(&name)
    let path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard descriptor >= 0 else {
      Terminal.say("m2m-proxy: no temporary file can be made in /tmp: \(unsafe String(cString: strerror(errno)))")
      throw ExitCode(EX_CANTCREAT)
    }
    close(descriptor)
    defer { unsafe _ = unlink(path) }
    try OutputFile.write(Array(root.pem.utf8), to: path)
    try run(keystore.importing(path, keytool: keytool))
    print("undo   \(keystore.removing(keytool: keytool).text)")
  }

  private func run(_ program: Subprogram) throws {
    print("ran    \(program.text)")
    // What the program says comes after what we say about it.
    fflush(nil)
    if let failure = program.run() {
      Terminal.say("m2m-proxy: \(program.words[0]) \(failure.reason)")
      throw ExitCode(EX_OSERR)
    }
  }
}
