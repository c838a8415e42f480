package import Glibc
package import SystemPackage

/// A directory that nobody but this process's user is to reach.
package enum SensitiveDirectory {
  /// Why it was not opened.
  package enum Failure: Error {
    /// A system call refused.
    case failed(Errno)
    /// Others can reach it, or could: how, to follow its name.
    case exposed(String)
  }

  /// The directory at `path`, if it belongs to this process's user and other users may not enter it. The directories above
  /// it are not checked.
  package static func open(path: String) throws(Failure) -> OpenDirectory {
    try open(path: path, Custody())
  }

  /// What is wrong with the directory at `path`, or with those above it, to follow its name; nil when it is fit. One that
  /// is missing is fit if it can be made.
  package static func complaint(path: String, showsPaths: Bool = true) -> String? {
    let custody = Custody(showsPaths: showsPaths)
    do throws(Failure) {
      let directory = try open(path: path, custody)
      if let denial = directory.denial(of: R_OK | W_OK | X_OK) {
        return "cannot be read and written: \(denial) (running as uid \(geteuid()))"
      }
      return custody.complaint(above: directory, path: path)
    } catch {
      switch error {
      case .failed(.noSuchFileOrDirectory): return complaintAboutMaking(path, custody)
      case .failed(.notDirectory): return "is not a directory"
      case .failed(let errno): return "cannot be examined: \(errno) (running as uid \(geteuid()))"
      case .exposed(let complaint): return complaint
      }
    }
  }

  /// The directory at `path`, which belongs to this process's user and which other users may not enter: it is made if only
  /// it is missing, and changed if it holds no other files than those that `isOurs` knows by name.
  ///
  /// - Parameter onChange: Called with what the directory was before it is changed.
  package static func take(
    path: String, isOurs: (String) -> Bool, onChange: (stat) -> Void
  ) throws(Failure) -> OpenDirectory {
    let custody = Custody()
    if unsafe mkdir(path, 0o700) != 0, errno != EEXIST { throw .failed(Errno(rawValue: errno)) }
    let directory = try told { () throws(Errno) in try OpenDirectory(path: path) }
    let status = try told { () throws(Errno) in try directory.status() }
    if let complaint = custody.complaint(private: status, path: path) {
      let names = try told { () throws(Errno) in try directory.names() }
      if let other = names.sorted().first(where: { !isOurs($0) }) {
        throw .exposed("\(complaint); it is left as it is, because there are other files in it, such as \(other)")
      }
      do throws(Errno) { try directory.give(to: geteuid()) } catch { throw .exposed("\(complaint): \(error)") }
      let now = try told { () throws(Errno) in try directory.status() }
      // Some file systems take a mode, and do not keep it.
      if let complaint = custody.complaint(private: now, path: path) { throw .exposed(complaint) }
      onChange(status)
    }
    if let complaint = custody.complaint(above: directory, path: path) { throw .exposed(complaint) }
    return directory
  }

  private static func open(path: String, _ custody: Custody) throws(Failure) -> OpenDirectory {
    let directory = try told { () throws(Errno) in try OpenDirectory(path: path) }
    let status = try told { () throws(Errno) in try directory.status() }
    if let complaint = custody.complaint(private: status, path: path) { throw .exposed(complaint) }
    return directory
  }

  private static func told<R: ~Copyable>(_ call: () throws(Errno) -> R) throws(Failure) -> R {
    do throws(Errno) { return try call() } catch { throw .failed(error) }
  }

  private static func complaintAboutMaking(_ path: String, _ custody: Custody) -> String? {
    let above = FilePath(path).removingLastComponent().string
    let parent = above.isEmpty ? "." : above
    do throws(Errno) {
      let directory = try OpenDirectory(path: parent)
      if let denial = directory.denial(of: W_OK | X_OK) {
        return "does not exist, and cannot be made: \(denial) (running as uid \(geteuid()))"
      }
      return custody.complaint(directory: directory, path: parent)
    } catch {
      return "does not exist, and neither does the directory it would be in"
    }
  }
}
