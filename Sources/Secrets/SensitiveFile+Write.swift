import Glibc
import SystemPackage

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
    var old = stat()
    let isThere = unsafe stat(path, &old) == 0
    guard !isThere || replaces else { throw .exists }
    let new = "\(path).new-\(getpid())"
    do {
      let file = try FileDescriptor.open(
        FilePath(new), .writeOnly, options: [.create, .exclusiveCreate, .noFollow, .closeOnExec],
        permissions: [.ownerReadWrite])
      try file.closeAfter {
        _ = try unsafe bytes.withUnsafeBytes { try unsafe file.writeAll($0) }
        if isThere, old.st_uid != geteuid() || old.st_gid != getegid() {
          guard fchown(file.rawValue, old.st_uid, old.st_gid) == 0 else { throw Errno(rawValue: errno) }
        }
        guard fchmod(file.rawValue, isThere ? mode | old.st_mode & 0o040 : mode) == 0, fsync(file.rawValue) == 0 else {
          throw Errno(rawValue: errno)
        }
      }
      // A link, unlike a new name, never takes the place of a file that has come meanwhile.
      guard unsafe replaces ? rename(new, path) == 0 : link(new, path) == 0 else { throw Errno(rawValue: errno) }
    } catch {
      unsafe _ = unlink(new)  // If it is there at all.
      let errno = error as? Errno ?? .ioError
      throw errno == .fileExists && !replaces ? .exists : .failed("\(errno) (running as uid \(geteuid()))")
    }
    if !replaces { unsafe _ = unlink(new) }
  }
}
