internal import ArgumentParser
internal import Glibc
internal import Secrets

/// Where a command puts what it makes.
enum OutputFile {
  /// Writes `content` to the file at `path`; ends the program where it cannot.
  static func write(
    _ content: Secret, to path: String, mode: UInt32, replaces: Bool = true,
    isThere: (String) -> ExitCode = { _ in .failure }
  ) throws {
    let failure: SensitiveFile.WriteFailure? = content.withBytes { bytes in
      do throws(SensitiveFile.WriteFailure) {
        try SensitiveFile.write(bytes, path: path, mode: mode, replaces: replaces)
        return nil
      } catch {
        return error
      }
    }
    switch failure {
    case nil: return
    case .exists: throw isThere(path)
    case .failed(let reason):
      Terminal.say("m2m-proxy: \(path) cannot be written: \(reason)")
      throw ExitCode(EX_CANTCREAT)
    }
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
