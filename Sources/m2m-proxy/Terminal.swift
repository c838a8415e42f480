internal import ArgumentParser
internal import Glibc
internal import Locks
internal import Secrets

/// Messages to the person who started the program, apart from the log.
enum Terminal {
  /// Opens /dev/null in place of closed standard descriptors: otherwise the first sockets would get their numbers, and
  /// log lines would be written into them.
  static func holdStandardDescriptors() throws {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 {
      // The lower ones are open, so it gets this number.
      guard unsafe open("/dev/null", O_RDWR) == descriptor else { throw ExitCode(71) }
    }
  }

  /// Hears what is said, too: at an upgrade, the process before.
  static let listener = Monitor<(@Sendable (String) -> Void)?>(nil)

  /// Writes `text` and a line's end to standard error.
  static func say(_ text: String) {
    write("\(text)\n")
    listener.withLock { $0 }?(text)
  }

  /// Writes `question` to standard error; the answer follows on the same line.
  static func ask(_ question: String) { write(question) }

  private static func write(_ text: String) {
    var line = Array(text.utf8)
    while !line.isEmpty {
      let written = unsafe Glibc.write(STDERR_FILENO, line, line.count)
      // Output is closed, so the failure cannot be reported either.
      guard written > 0 else { return }
      line.removeFirst(written)
    }
  }
}

/// Where commands put their results.
enum OutputFile {
  /// Writes `content` to the file at `path`, replacing an existing one; ends the program if it cannot.
  static func write(_ content: Secret, to path: String, mode: UInt32) throws {
    do throws(SensitiveFile.WriteFailure) {
      try content.withBytes { bytes throws(SensitiveFile.WriteFailure) in
        try SensitiveFile.write(bytes, path: path, mode: mode, replaces: true)
      }
    } catch { throw explained(error, path) }
  }

  /// Prints the reason of `failure`, and returns the exit code.
  static func explained(_ failure: SensitiveFile.WriteFailure, _ path: String) -> ExitCode {
    switch failure {
    case .exists: Terminal.say("m2m-proxy: \(path) is there already, and stays as it is.")
    case .failed(let reason): Terminal.say("m2m-proxy: \(path) cannot be written: \(reason)")
    }
    return ExitCode(EX_CANTCREAT)
  }

  /// Writes `content` to the file at `path`, or to standard output.
  static func write(_ content: [UInt8], to path: String?) throws {
    if let path { return try write(Secret(content.span), to: path, mode: 0o644) }
    var rest = content[...]
    while !rest.isEmpty {
      let written = unsafe rest.withUnsafeBytes { unsafe Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      guard written > 0 else {
        Terminal.say("m2m-proxy: standard output cannot be written: \(unsafe String(cString: strerror(errno)))")
        throw ExitCode(EX_IOERR)
      }
      rest = rest.dropFirst(written)
    }
  }
}
