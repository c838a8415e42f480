internal import Cryptography
internal import Glibc
internal import Secrets
internal import SystemPackage
internal import Tokens

/// A directory of small files that are replaced as a whole, and of the locks that go with them. Its calls wait for the
/// disk.
struct StoreDirectory: Sendable {
  let path: String

  // Written within seconds; what is older was left by a process that ended meanwhile.
  private static let longestWriting = 3600
  private static let longestFile = SealedToken.longest
  // Locks on counters are held for the time that writing a file takes.
  private static let lockAttempts = 100
  private static let lockPause: useconds_t = 5000

  /// The directory at `path`, which is made if only it is missing. Nobody else may have access to it.
  init(path: String) throws(TokenStoreProblem) {
    self.path = path
    if unsafe mkdir(path, 0o700) != 0, errno != EEXIST {
      throw TokenStoreProblem(.unusable, "\(path) cannot be made: \(Errno(rawValue: errno))")
    }
    if let complaint = SensitiveDirectory.complaint(path: path) {
      throw TokenStoreProblem(.unusable, "\(path) \(complaint)")
    }
    removeLeftovers()
  }

  // MARK: Files

  /// What `body` makes of the content of the file `name`; nil when there is no such file. A file of which it makes
  /// nothing, or that is not one of ours, is set aside.
  func read<R>(
    _ name: String, _ body: ([UInt8]) throws(TokenStoreProblem) -> R?
  ) throws(TokenStoreProblem) -> R? {
    let found: (content: [UInt8], number: ino_t)
    do {
      found = try content(name)
    } catch {
      switch error {
      case .missing: return nil
      case .strange(let reason): throw setAside(name, number: nil, because: reason)
      case .failed(let errno): throw TokenStoreProblem(.unusable, "\(path)/\(name) cannot be read: \(errno)")
      }
    }
    if let result = try body(found.content) { return result }
    throw setAside(name, number: found.number, because: "is damaged, or was encrypted with another key")
  }

  /// Puts `content` in the place of the file `name`: whoever reads it gets the old content or the new one.
  func write(_ content: [UInt8], to name: String) throws(TokenStoreProblem) {
    let new = try temporaryName(for: name)
    do {
      let file = try FileDescriptor.open(
        join(new), .writeOnly, options: [.create, .exclusiveCreate, .noFollow, .closeOnExec],
        permissions: [.ownerReadWrite])
      try file.closeAfter {
        try file.writeAll(content)
        guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
      }
      try move(new, to: name)
    } catch {
      unsafe _ = unlink("\(path)/\(new)")  // If it is there at all.
      throw TokenStoreProblem(.unusable, "\(path)/\(name) cannot be written: \(error)")
    }
  }

  /// Removes the file `name` if `condition` holds for its content; another one that takes its place meanwhile stays.
  func remove(
    _ name: String, if condition: ([UInt8]) throws(TokenStoreProblem) -> Bool
  ) throws(TokenStoreProblem) {
    guard let found = try? content(name), try condition(found.content) else { return }
    let moved = try temporaryName(for: name)
    do {
      try move(name, to: moved)
    } catch .noSuchFileOrDirectory {
      return
    } catch {
      throw TokenStoreProblem(.unusable, "\(path)/\(name) cannot be removed: \(error)")
    }
    // Between looking and moving, somebody may have put another one there: it goes back, unless there is one again.
    if let taken = try? content(moved), try !condition(taken.content) {
      unsafe _ = link("\(path)/\(moved)", "\(path)/\(name)")
    }
    unsafe _ = unlink("\(path)/\(moved)")
  }

  // MARK: Locks

  /// The lock `name`; nil while somebody else has it.
  func lock(_ name: String) throws(TokenStoreProblem) -> FileLock? {
    do {
      return try FileLock(
        try FileDescriptor.open(
          join(name), .readWrite, options: [.create, .noFollow, .closeOnExec], permissions: [.ownerReadWrite]))
    } catch {
      throw TokenStoreProblem(.unusable, "\(path)/\(name) cannot be locked: \(error)")
    }
  }

  /// The lock `name`, which nobody holds for long.
  func lockSoon(_ name: String) throws(TokenStoreProblem) -> FileLock {
    for _ in 0..<Self.lockAttempts {
      if let lock = try lock(name) { return lock }
      usleep(Self.lockPause)
    }
    throw TokenStoreProblem(.locked, "\(path)/\(name) is locked by another process")
  }

  // MARK: Parts

  private enum Unreadable: Error {
    case missing
    case strange(String)
    case failed(Errno)
  }

  private func content(_ name: String) throws(Unreadable) -> (content: [UInt8], number: ino_t) {
    let file: FileDescriptor
    do {
      // Non-blocking: opening a pipe that nobody writes to would wait for ever.
      file = try FileDescriptor.open(join(name), .readOnly, options: [.noFollow, .nonBlocking, .closeOnExec])
    } catch {
      switch error as? Errno ?? .ioError {
      case .noSuchFileOrDirectory: throw .missing
      case .tooManySymbolicLinkLevels: throw .strange("is a symbolic link")
      case let errno: throw .failed(errno)
      }
    }
    defer { try? file.close() }  // Nothing was written.
    var status = stat()
    guard unsafe fstat(file.rawValue, &status) == 0 else { throw .failed(Errno(rawValue: errno)) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .strange("is not a regular file") }
    guard status.st_uid == geteuid() else { throw .strange("belongs to another user (uid \(status.st_uid))") }
    guard status.st_size <= Self.longestFile else { throw .strange("is too large") }
    do {
      let content = try unsafe [UInt8](unsafeUninitializedCapacity: Self.longestFile) { memory, count in
        while count < memory.count {
          let rest = unsafe UnsafeMutableRawBufferPointer(memory)[count...]
          let read = try unsafe file.read(into: UnsafeMutableRawBufferPointer(rebasing: rest))
          if read == 0 { break }
          count += read
        }
      }
      return (content, status.st_ino)
    } catch { throw .failed(error as? Errno ?? .ioError) }
  }

  /// Renames a file that is of no use, so that it is not looked at again: one for each name is kept. A file other than
  /// number `number`, which has taken its place meanwhile, stays.
  private func setAside(_ name: String, number: ino_t?, because reason: String) -> TokenStoreProblem {
    var status = stat()
    if let number, unsafe lstat("\(path)/\(name)", &status) == 0, status.st_ino != number {
      return TokenStoreProblem(.damaged, "\(path)/\(name) \(reason); another one has taken its place")
    }
    do {
      try move(name, to: "\(name).damaged")
      return TokenStoreProblem(.damaged, "\(path)/\(name) \(reason); it is \(name).damaged now")
    } catch {
      return TokenStoreProblem(.unusable, "\(path)/\(name) \(reason), and cannot be set aside: \(error)")
    }
  }

  private func removeLeftovers() {
    guard let directory = unsafe opendir(path) else { return }  // Whoever writes will say what is wrong.
    defer { unsafe closedir(directory) }
    while let entry = unsafe readdir(directory) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
        unsafe name.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      var status = stat()
      guard name.contains(Self.temporaryMark), unsafe lstat("\(path)/\(name)", &status) == 0,
        status.st_mtim.tv_sec < time(nil) - Self.longestWriting
      else { continue }
      unsafe _ = unlink("\(path)/\(name)")
    }
  }

  private static let temporaryMark = ".temporary-"

  private func temporaryName(for name: String) throws(TokenStoreProblem) -> String {
    do {
      let random = try RandomBytes.make(8).reduce(0) { $0 << 8 | UInt64($1) }
      return "\(name)\(Self.temporaryMark)\(String(random, radix: 16))"
    } catch { throw TokenStoreProblem(.unusable, "\(error)") }
  }

  private func move(_ name: String, to other: String) throws(Errno) {
    guard unsafe rename("\(path)/\(name)", "\(path)/\(other)") == 0 else { throw Errno(rawValue: errno) }
  }

  private func join(_ name: String) -> FilePath { FilePath("\(path)/\(name)") }
}
