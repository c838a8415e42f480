internal import CLinux
package import Glibc
package import SystemPackage

/// A directory that only this process's user may access.
package enum SensitiveDirectory {
  /// Why it was not opened.
  package enum Failure: Error {
    /// A system call failed.
    case failed(Errno)
    /// Other users can access it, or could: how, to follow its name.
    case exposed(String)
  }

  /// The directory at `path`, if it belongs to this process's user and other users cannot enter it. The directories above it
  /// are not checked.
  package static func open(path: String) throws(Failure) -> OpenDirectory {
    try open(path: path, Custody())
  }

  /// What is wrong with the directory at `path`, or with those above it, to follow its name; nil if it can be used. A missing
  /// one can be used if it can be created, and one on a read-only file system can be used too; see ``isReadOnly(path:)``.
  package static func complaint(path: String, showsPaths: Bool = true) -> String? {
    let custody = Custody(showsPaths: showsPaths)
    do throws(Failure) {
      let directory = try open(path: path, custody)
      if let denial = directory.denialBesidesReadOnly(of: R_OK | X_OK) {
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

  /// The directory at `path`, made private to this process's user: created if only it is missing, and changed if it contains
  /// only files that `isOurs` knows by name.
  ///
  /// - Parameter onChange: Called before a change, with what the directory was.
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
      // Some file systems accept a mode, but do not keep it.
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

  /// Whether nothing can be written into the directory at `path`, or it cannot be created, because its file system is
  /// read-only.
  package static func isReadOnly(path: String) -> Bool {
    let above = FilePath(path).removingLastComponent().string
    for place in [path, above.isEmpty ? "." : above] {
      do throws(Errno) {
        return try OpenDirectory(path: place).denial(of: W_OK) == .readOnlyFileSystem
      } catch .noSuchFileOrDirectory {
        continue
      } catch {
        return false
      }
    }
    return false
  }

  private static func complaintAboutMaking(_ path: String, _ custody: Custody) -> String? {
    let above = FilePath(path).removingLastComponent().string
    let parent = above.isEmpty ? "." : above
    do throws(Errno) {
      let directory = try OpenDirectory(path: parent)
      if let denial = directory.denialBesidesReadOnly(of: X_OK) {
        return "does not exist, and cannot be made: \(denial) (running as uid \(geteuid()))"
      }
      return custody.complaint(directory: directory, path: parent)
    } catch {
      return "does not exist, and neither does the directory it would be in"
    }
  }
}

/// The access control list that a file may have besides its permission bits (acl(5)).
enum AccessList {
  /// Whether a file has one, by `descriptor` if it is open; nil if that is unknown.
  static func isThere(descriptor: Int32?, path: String) -> Bool? {
    let answer = unsafe clinux_file_has_access_list(descriptor ?? -1, path)
    return answer < 0 ? nil : answer != 0
  }
}

/// An open directory: all operations apply to the directory that was checked, wherever its path leads meanwhile.
package struct OpenDirectory: ~Copyable {
  private let descriptor: Int32

  /// The directory at `path`; links are followed.
  package init(path: String) throws(Errno) {
    try self.init(opening: path, in: AT_FDCWD)
  }

  private init(opening path: String, in directory: Int32) throws(Errno) {
    // O_PATH: directories on the way need search permission only, not read permission.
    descriptor = unsafe clinux_open_directory(directory, path)
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
  }

  deinit { close(descriptor) }

  /// The parent directory; the root's is the root.
  package func parent() throws(Errno) -> OpenDirectory { try OpenDirectory(opening: "..", in: descriptor) }

  /// The status of the directory.
  package func status() throws(Errno) -> stat {
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw Errno(rawValue: errno) }
    return status
  }

  /// Whether it is read-only, through the mount by which it was opened.
  package var isReadOnly: Bool { clinux_is_read_only(descriptor) != 0 }

  /// Whether it has an access control list besides its permission bits (acl(5)); nil if that is unknown.
  package var hasAccessList: Bool? {
    let answer = clinux_has_access_list(descriptor)
    return answer < 0 ? nil : answer != 0
  }

  /// Why this process lacks some of `rights` there, such as `W_OK | X_OK`; nil if it has all of them.
  package func denial(of rights: Int32) -> Errno? {
    unsafe faccessat(descriptor, ".", rights, AT_EACCESS) == 0 ? nil : Errno(rawValue: errno)
  }

  /// The same, except that a read-only file system is no reason against writing.
  fileprivate func denialBesidesReadOnly(of rights: Int32) -> Errno? {
    let denial = denial(of: rights | W_OK)
    return denial == .readOnlyFileSystem ? self.denial(of: rights) : denial
  }

  // MARK: What is in it

  /// The status of the file `name`; follows a link only if `followsLinks` is true.
  package func status(of name: String, followsLinks: Bool = false) throws(Errno) -> stat {
    var status = stat()
    guard unsafe fstatat(descriptor, name, &status, followsLinks ? 0 : AT_SYMLINK_NOFOLLOW) == 0 else {
      throw Errno(rawValue: errno)
    }
    return status
  }

  /// Opens the file `name`, which must not be a link; a new one gets mode 0600.
  package func open(_ name: String, _ flags: Int32) throws(Errno) -> FileDescriptor {
    let opened = unsafe openat(descriptor, name, flags | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard opened >= 0 else { throw Errno(rawValue: errno) }
    return FileDescriptor(rawValue: opened)
  }

  /// Renames the file `name` to `other`, and replaces a file of that name.
  package func rename(_ name: String, to other: String) throws(Errno) {
    guard unsafe renameat(descriptor, name, descriptor, other) == 0 else { throw Errno(rawValue: errno) }
  }

  /// Links the file `name` as `other`, which must not exist.
  package func link(_ name: String, to other: String) throws(Errno) {
    guard unsafe linkat(descriptor, name, descriptor, other, 0) == 0 else { throw Errno(rawValue: errno) }
  }

  /// Removes the file `name`, if it exists.
  package func remove(_ name: String) { unsafe _ = unlinkat(descriptor, name, 0) }

  /// The names of all files there.
  package func names() throws(Errno) -> [String] {
    let readable = unsafe openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
    guard readable >= 0 else { throw Errno(rawValue: errno) }
    guard let stream = unsafe fdopendir(readable) else {
      let failure = Errno(rawValue: errno)
      close(readable)
      throw failure
    }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
        unsafe name.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  /// Gives the directory to `user`, with mode 0700.
  package func give(to user: UInt32) throws(Errno) {
    let readable = unsafe openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
    guard readable >= 0 else { throw Errno(rawValue: errno) }
    defer { close(readable) }
    if try status().st_uid != user, fchown(readable, user, gid_t.max) != 0 { throw Errno(rawValue: errno) }
    guard fchmod(readable, 0o700) == 0 else { throw Errno(rawValue: errno) }
  }
}
