import Glibc
package import SystemPackage

extension SensitiveFile {
  /// Why a file was not written.
  package enum WriteFailure: Error, Equatable {
    /// There is a file, and nobody said that it may be replaced.
    case exists
    /// A system call refused, for this reason.
    case failed(String)
  }

  /// Writes `bytes` into a file at `path`, which is there as a whole or not at all, also after a crash.
  ///
  /// - Parameters:
  ///   - mode: Its permission bits; a file that is replaced keeps those of its group, and its owner.
  ///   - replaces: Whether a file that is there is replaced.
  package static func write(
    _ bytes: Span<UInt8>, path: String, mode: UInt32, replaces: Bool
  ) throws(WriteFailure) {
    let path = FilePath(path)
    let above = path.removingLastComponent().string
    let directory: OpenDirectory
    do throws(Errno) { directory = try OpenDirectory(path: above.isEmpty ? "." : above) } catch {
      throw WriteFailure(error)
    }
    try write(
      bytes, to: path.lastComponent?.string ?? "", in: directory, mode: mode, replaces: replaces, keepsOwner: true)
  }

  /// Writes `bytes` into the file `name` of `directory` in the same way.
  ///
  /// - Parameter keepsOwner: Whether a file that is replaced keeps its owner, and the permission of its group to read; if
  ///   not, the new one belongs to this process's user and has `mode`, or is not written.
  package static func write(
    _ bytes: Span<UInt8>, to name: String, in directory: borrowing OpenDirectory, mode: UInt32, replaces: Bool,
    keepsOwner: Bool
  ) throws(WriteFailure) {
    let old: stat?
    do throws(Errno) { old = try directory.status(of: name, followsLinks: keepsOwner) } catch .noSuchFileOrDirectory {
      old = nil
    } catch {
      throw WriteFailure(error)
    }
    guard old == nil || replaces else { throw .exists }
    let new = "\(name).new-\(getpid())"
    do {
      let file = try directory.open(new, O_WRONLY | O_CREAT | O_EXCL)
      try file.closeAfter {
        var mode = mode
        if keepsOwner, let old {
          mode |= old.st_mode & 0o040
          if old.st_uid != geteuid() || old.st_gid != getegid(), fchown(file.rawValue, old.st_uid, old.st_gid) != 0 {
            throw Errno(rawValue: errno)
          }
        }
        guard fchmod(file.rawValue, mode) == 0 else { throw Errno(rawValue: errno) }
        var made = stat()
        guard unsafe fstat(file.rawValue, &made) == 0 else { throw Errno(rawValue: errno) }
        guard keepsOwner || made.st_mode & 0o7777 == mode && made.st_uid == geteuid() else {
          throw WriteFailure.failed("the file system there keeps no modes or owners of files")
        }
        _ = try unsafe bytes.withUnsafeBytes { try unsafe file.writeAll($0) }
        guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
      }
      // A link, unlike a new name, never takes the place of a file that has come meanwhile.
      if replaces { try directory.rename(new, to: name) } else { try directory.link(new, to: name) }
    } catch {
      directory.remove(new)
      if let failure = error as? WriteFailure { throw failure }
      let errno = error as? Errno ?? .ioError
      throw errno == .fileExists && !replaces ? .exists : WriteFailure(errno)
    }
    if !replaces { directory.remove(new) }
  }
}

extension SensitiveFile.WriteFailure {
  package init(_ errno: Errno) { self = .failed("\(errno) (running as uid \(geteuid()))") }
}
