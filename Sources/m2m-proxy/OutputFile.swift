internal import ArgumentParser
internal import Glibc
internal import Secrets

/// Where a command puts what it makes.
enum OutputFile {
  /// Writes `content` to the file at `path`, in place of one that is there; ends the program where it cannot.
  static func write(_ content: Secret, to path: String, mode: UInt32) throws {
    do throws(SensitiveFile.WriteFailure) {
      try content.withBytes { bytes throws(SensitiveFile.WriteFailure) in
        try SensitiveFile.write(bytes, path: path, mode: mode, replaces: true)
      }
    } catch { throw explained(error, path) }
  }

  /// What the program ends with after `failure`, which it says.
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
