internal import ArgumentParser
internal import Glibc

/// What is said to the person who started the program, apart from the log.
enum Terminal {
  /// Puts /dev/null where standard input, output or error is closed: the first sockets that are opened would get their
  /// numbers otherwise, and what is logged would be written into them.
  static func holdStandardDescriptors() throws {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 {
      // Those below it are open, so it gets this number.
      guard unsafe open("/dev/null", O_RDWR) == descriptor else { throw ExitCode(71) }
    }
  }

  /// Writes `text` and a line's end to standard error.
  static func say(_ text: String) { write("\(text)\n") }

  /// Writes `question` to standard error; the answer goes on in the same line.
  static func ask(_ question: String) { write(question) }

  private static func write(_ text: String) {
    var line = Array(text.utf8)
    while !line.isEmpty {
      let written = unsafe Glibc.write(STDERR_FILENO, line, line.count)
      // Nobody listens: there is nobody to tell either.
      guard written > 0 else { return }
      line.removeFirst(written)
    }
  }
}
