import Glibc
import SystemPackage

/// A directory that nobody but this process's user is to reach.
package enum SensitiveDirectory {
  /// What is wrong with the directory at `path`, to follow its name; nil when it is fit. One that is missing is fit if it
  /// can be made.
  package static func complaint(path: String) -> String? {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else {
      let failure = Errno(rawValue: errno)
      guard failure == .noSuchFileOrDirectory else { return "cannot be examined: \(failure)" }
      return complaintAboutMaking(path)
    }
    guard status.st_mode & S_IFMT == S_IFDIR else { return "is not a directory" }
    let user = geteuid()
    // Root looks after the directories of others, as with `sudo m2m-proxy check`.
    guard status.st_uid == user || user == 0 else {
      return "belongs to uid \(status.st_uid), but this is uid \(user); chown mends that"
    }
    let mode = status.st_mode & 0o777
    guard mode & 0o077 == 0 else {
      return "is open to other users (mode 0\(String(mode, radix: 8))); chmod 700 mends that"
    }
    guard unsafe access(path, R_OK | W_OK | X_OK) == 0 else {
      return "cannot be read and written: \(Errno(rawValue: errno)) (running as uid \(user))"
    }
    return nil
  }

  private static func complaintAboutMaking(_ path: String) -> String? {
    let above = FilePath(path).removingLastComponent().string
    let parent = above.isEmpty ? "." : above
    var status = stat()
    guard unsafe stat(parent, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      return "does not exist, and neither does the directory it would be in"
    }
    guard unsafe access(parent, W_OK | X_OK) == 0 else {
      return "does not exist, and cannot be made: \(Errno(rawValue: errno)) (running as uid \(geteuid()))"
    }
    return nil
  }
}
