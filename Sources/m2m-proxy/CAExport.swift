internal import ArgumentParser
internal import Cryptography

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
    // On standard error: the certificate may go to standard output.
    Terminal.say("\(root.name) is for \(root.scope)")
  }
}
