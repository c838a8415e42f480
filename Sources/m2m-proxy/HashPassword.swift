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

/// Reads a password from standard input, into memory that is wiped.
enum PasswordInput {
  /// Why there is no password.
  enum Failure: Error, Equatable, CustomStringConvertible {
    case empty, tooLong, controlCharacter, notUTF8, differs, interrupted

    var description: String {
      switch self {
      case .empty: "the password is empty"
      case .tooLong: "the password is longer than \(PasswordInput.mostBytes) bytes"
      case .controlCharacter: "the password has a control character in it, which no client can send"
      case .notUTF8: "the password is not UTF-8, which is what clients send"
      case .differs: "the two passwords differ"
      case .interrupted: "interrupted"
      }
    }
  }

  /// The longest password, in bytes.
  static let mostBytes = 1024

  private static let interrupt: UInt8 = 3

  /// Reads from the terminal with echo switched off.
  static func hidden(_ question: String) throws(Failure) -> Secret {
    var usual = termios()
    guard unsafe tcgetattr(STDIN_FILENO, &usual) == 0 else { return try line(after: question) }
    var silent = usual
    // Ctrl-C ends the line instead of the program, which would leave the terminal without echo.
    silent.c_lflag &= ~tcflag_t(ECHO | ISIG)
    silent.c_cc.11 = interrupt  // VEOL
    unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
    defer { unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &usual) }
    // Ask only now: the call above discards what was typed before, which was shown.
    defer { Terminal.say("") }
    return try line(after: question)
  }

  /// The next line, without its end.
  static func line(after question: String = "") throws(Failure) -> Secret {
    Terminal.ask(question)
    var count = 0
    var failure: Failure?
    let buffer = Secret(count: mostBytes + 1) { bytes in
      do throws(Failure) { count = try readLine(into: &bytes) } catch { failure = error }
    }
    if let failure { throw failure }
    return try buffer.withBytes { bytes throws(Failure) in try checked(bytes.extracting(first: count)) }
  }

  // One byte at a time: whatever follows the line is not ours.
  private static func readLine(into bytes: inout MutableSpan<UInt8>) throws(Failure) -> Int {
    var count = 0
    var byte: UInt8 = 0
    while unsafe read(STDIN_FILENO, &byte, 1) == 1, byte != UInt8(ascii: "\n") {
      guard byte != interrupt else { throw .interrupted }
      guard count < bytes.count else { throw .tooLong }
      bytes[count] = byte
      count += 1
    }
    if count > 0, bytes[count - 1] == UInt8(ascii: "\r") { count -= 1 }
    return count
  }

  private static func checked(_ bytes: Span<UInt8>) throws(Failure) -> Secret {
    guard !bytes.isEmpty else { throw .empty }
    guard bytes.count <= mostBytes else { throw .tooLong }
    for index in bytes.indices where bytes[index] < 0x20 || bytes[index] == 0x7f { throw .controlCharacter }
    guard (try? UTF8Span(validating: bytes)) != nil else { throw .notUTF8 }
    return Secret(bytes)
  }
}
