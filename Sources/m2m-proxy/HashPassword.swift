internal import ArgumentParser
internal import Cryptography
internal import Glibc
internal import Secrets

struct HashPassword: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hash-password",
    abstract: "Makes what proxy.conf keeps of a caller's password in place of it.",
    discussion: """
      At a terminal it asks for the password twice and shows nothing of it; otherwise the first line of standard input \
      is the password. The hash goes to standard output, for callers.NAME.password.
      """)

  @Option(
    help: ArgumentHelp(
      "What it costs to try a password, as a power of two.",
      discussion: "15 takes 32 MB and about a tenth of a second; each step more doubles both."))
  var cost = ScryptCost.usual.logN

  func validate() throws {
    guard scrypt != nil else { throw ValidationError("--cost must be a number from 14 to 17.") }
  }

  func run() throws {
    guard let scrypt, let password = try readPassword() else { return }
    print(try PasswordHash.make(of: password, cost: scrypt).text)
  }

  private var scrypt: ScryptCost? {
    (14...17).contains(cost) ? ScryptCost(logN: cost, r: ScryptCost.usual.r, p: ScryptCost.usual.p) : nil
  }

  private func readPassword() throws -> Secret? {
    do throws(PasswordInput.Failure) {
      guard isatty(STDIN_FILENO) == 1 else { return try PasswordInput.line() }
      let password = try PasswordInput.hidden("Password: ")
      guard try PasswordInput.hidden("Again: ") == password else { throw .differs }
      return password
    } catch {
      Terminal.say("m2m-proxy: \(error)")
      throw ExitCode(error == .interrupted ? 130 : EX_DATAERR)
    }
  }
}
