internal import Glibc

/// What is said to the person who started the program, apart from the log.
enum Terminal {
  /// Writes `text` and a line's end to standard error.
  static func say(_ text: String) {
    var line = Array(text.utf8) + [UInt8(ascii: "\n")]
    while !line.isEmpty {
      let written = unsafe write(STDERR_FILENO, line, line.count)
      // Nobody listens: there is nobody to tell either.
      guard written > 0 else { return }
      line.removeFirst(written)
    }
  }
}
