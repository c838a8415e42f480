internal import ArgumentParser
internal import Glibc
internal import Secrets
internal import SystemPackage

/// The directories of a certificate authority's files.
enum AuthorityDirectory {
  /// The directory of the file `key`, which only this process's user may enter afterwards: creates it, or closes it to
  /// others. Ends the program if that fails.
  ///
  /// - Parameter certificate: the file that may be there as well.
  static func take(_ key: FilePath, beside certificate: FilePath) throws -> OpenDirectory {
    let names = [key.name] + (certificate.directory == key.directory ? [certificate.name] : [])
    do throws(SensitiveDirectory.Failure) {
      return try SensitiveDirectory.take(path: key.directory) { name in
        // Files that a killed program left behind count as well.
        names.contains { name == $0 || name.hasPrefix("\($0).new-") || name.hasPrefix("\($0).old-") }
      } onChange: { before in
        Terminal.say(
          "\(key.directory) is closed to other users now; its mode was 0\(String(before.st_mode & 0o7777, radix: 8)), and it "
            + "belonged to \(Accounts.name(ofUser: before.st_uid)).")
      }
    } catch {
      switch error {
      case .failed(let errno): throw notMade(key.directory, errno)
      case .exposed(let complaint):
        Terminal.say(
          """
          m2m-proxy: the key would not be safe: its directory \(key.directory) \(complaint).
          Or name a directory of its own for it, with interception.ca_key. Nothing was written.
          """)
        throw ExitCode(EX_CANTCREAT)
      }
    }
  }

  /// The directory of the file `certificate`, which every user may enter; created if only the last part is missing.
  static func make(_ certificate: FilePath) throws -> OpenDirectory {
    if unsafe mkdir(certificate.directory, 0o755) != 0, errno != EEXIST {
      throw notMade(certificate.directory, Errno(rawValue: errno))
    }
    do throws(Errno) { return try OpenDirectory(path: certificate.directory) } catch {
      throw notMade(certificate.directory, error)
    }
  }

  private static func notMade(_ directory: String, _ errno: Errno) -> ExitCode {
    let above = FilePath(directory).directory
    let reason =
      switch errno {
      case .noSuchFileOrDirectory: "there is no directory \(above); make that first (mkdir -p \(above.asShellWord))"
      case .permissionDenied: "this user (uid \(geteuid())) may not enter it, or not make it in \(above)"
      case .readOnlyFileSystem: "\(above) is on a read-only file system"
      case .notDirectory: "a part of that path is a file"
      default: "\(errno)"
      }
    Terminal.say("m2m-proxy: the directory \(directory) cannot be made or opened: \(reason). Nothing was written.")
    return ExitCode(EX_CANTCREAT)
  }
}

extension FilePath {
  /// The path of the directory of the file.
  var directory: String {
    let directory = removingLastComponent().string
    return directory.isEmpty ? "." : directory
  }

  /// The last part; empty if there is none.
  var name: String { lastComponent?.string ?? "" }
}
