internal import Glibc
internal import Secrets

/// Reads a password from standard input, into memory that is wiped.
enum PasswordInput {
  /// Why there is none.
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

  /// The most bytes that a password may have.
  static let mostBytes = 1024

  private static let interrupt: UInt8 = 3

  /// Asks at the terminal, which shows nothing of what is typed.
  static func hidden(_ question: String) throws(Failure) -> Secret {
    var usual = termios()
    guard unsafe tcgetattr(STDIN_FILENO, &usual) == 0 else { return try line(after: question) }
    var silent = usual
    // Ctrl-C ends the line in place of the program, which would leave the terminal silent.
    silent.c_lflag &= ~tcflag_t(ECHO | ISIG)
    silent.c_cc.11 = interrupt  // VEOL
    unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
    defer { unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &usual) }
    // What is typed before the question would be thrown away, and shown.
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

  // One byte at a time: what comes behind the line is not ours.
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
