internal import Cryptography
internal import Glibc
internal import Secrets
internal import SystemPackage
internal import Tokens

/// A directory of small files, each replaced as a whole, and of their locks. Its calls wait for the disk.
///
/// Each call opens the directory again, since the operator may replace it, and works in the opened directory if it belongs to
/// this process's user and no other user has access.
struct StoreDirectory: Sendable {
  let path: String

  // Writing takes seconds; older files were left by a process that ended meanwhile.
  private static let longestWriting = 3600
  private static let longestFile = SealedToken.longest
  // A lock on a counter is held only while a file is written.
  private static let lockAttempts = 100
  private static let lockPause: useconds_t = 5000

  /// The directory at `path`, which is created if its parent exists. Other users must not have access to it. On a read-only
  /// file system it may be missing; then each call reports that.
  init(path: String) throws(TokenStoreProblem) {
    self.path = path
    if unsafe mkdir(path, 0o700) != 0, errno != EEXIST {
      if errno == EROFS { return }
      throw TokenStoreProblem(.unusable, "\(path) cannot be made: \(Errno(rawValue: errno))")
    }
    if let complaint = SensitiveDirectory.complaint(path: path) {
      throw TokenStoreProblem(.unusable, "\(path) \(complaint)")
    }
    if SensitiveDirectory.isReadOnly(path: path) { return }
    try removeLeftovers(open("\(path) cannot be opened"))
  }

  // MARK: Files

  /// Calls `body` with the contents of the file `name` and returns its result; nil if there is no such file. If `body` returns
  /// nil, or the file is not one of ours, the file is set aside.
  func read<R>(
    _ name: String, _ body: ([UInt8]) throws(TokenStoreProblem) -> R?
  ) throws(TokenStoreProblem) -> R? {
    guard let directory = try openIfThere("\(path)/\(name) cannot be read") else { return nil }
    let found: (content: [UInt8], number: ino_t)
    do {
      found = try content(name, directory)
    } catch {
      switch error {
      case .missing: return nil
      case .strange(let reason): throw setAside(name, directory, number: nil, because: reason)
      case .failed(let errno): throw TokenStoreProblem(.unusable, "\(path)/\(name) cannot be read: \(errno)")
      }
    }
    if let result = try body(found.content) { return result }
    throw setAside(name, directory, number: found.number, because: "is damaged, or was encrypted with another key")
  }

  /// Replaces the file `name`: a reader gets either the old or the new contents.
  func write(_ content: [UInt8], to name: String) throws(TokenStoreProblem) {
    let directory = try open("\(path)/\(name) cannot be written")
    let new = try temporaryName(for: name)
    do {
      let file = try directory.open(new, O_WRONLY | O_CREAT | O_EXCL)
      try file.closeAfter {
        try file.writeAll(content)
        guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
      }
      try directory.rename(new, to: name)
    } catch {
      directory.remove(new)
      throw TokenStoreProblem(.unusable, "\(path)/\(name) cannot be written: \(error)")
    }
  }

  /// Removes the file `name` if `condition` holds for its contents; a file that replaces it meanwhile stays.
  func remove(
    _ name: String, if condition: ([UInt8]) throws(TokenStoreProblem) -> Bool
  ) throws(TokenStoreProblem) {
    guard let directory = try openIfThere("\(path)/\(name) cannot be removed") else { return }
    guard let found = try? content(name, directory), try condition(found.content) else { return }
    let moved = try temporaryName(for: name)
    do {
      try directory.rename(name, to: moved)
    } catch .noSuchFileOrDirectory {
      return
    } catch {
      throw TokenStoreProblem(.unusable, "\(path)/\(name) cannot be removed: \(error)")
    }
    // Between the check and the rename, another process may have put a new file there: move it back, unless a newer one exists.
    if let taken = try? content(moved, directory), try !condition(taken.content) {
      try? directory.link(moved, to: name)
    }
    directory.remove(moved)
  }

  // MARK: Locks

  /// Takes the lock `name`; nil while another process holds it.
  func lock(_ name: String) throws(TokenStoreProblem) -> FileLock? {
    let directory = try open("\(path)/\(name) cannot be locked")
    let file: FileDescriptor
    do throws(Errno) {
      file = try directory.open(name, O_RDWR | O_CREAT | O_NONBLOCK)
    } catch {
      throw TokenStoreProblem(.unusable, "\(path)/\(name) cannot be locked: \(error)")
    }
    var status = stat()
    if unsafe fstat(file.rawValue, &status) == 0, let reason = Self.strangeness(of: status) {
      try? file.close()  // Nothing was written.
      throw setAside(name, directory, number: status.st_ino, because: reason)
    }
    do throws(Errno) { return try FileLock(file) } catch {
      throw TokenStoreProblem(.unusable, "\(path)/\(name) cannot be locked: \(error)")
    }
  }

  /// Takes the lock `name`, which no process holds for long.
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

  /// The directory, if it exists; `trouble` begins the message if it cannot be used.
  private func openIfThere(_ trouble: String) throws(TokenStoreProblem) -> OpenDirectory? {
    do throws(SensitiveDirectory.Failure) { return try SensitiveDirectory.open(path: path) } catch {
      switch error {
      case .failed(.noSuchFileOrDirectory): return nil
      case .failed(let errno): throw TokenStoreProblem(.unusable, "\(trouble): \(errno)")
      case .exposed(let complaint): throw TokenStoreProblem(.unusable, "\(path) \(complaint)")
      }
    }
  }

  private func open(_ trouble: String) throws(TokenStoreProblem) -> OpenDirectory {
    if let directory = try openIfThere(trouble) { return directory }
    throw TokenStoreProblem(.unusable, "\(trouble): \(Errno.noSuchFileOrDirectory)")
  }

  /// What is wrong with a file, apart from its contents.
  private static func strangeness(of status: stat) -> String? {
    guard status.st_mode & S_IFMT == S_IFREG else { return "is not a regular file" }
    guard status.st_uid == geteuid() else { return "belongs to another user (uid \(status.st_uid))" }
    guard status.st_mode & 0o022 == 0 else {
      return "can be written by other users (mode 0\(String(status.st_mode & 0o7777, radix: 8)))"
    }
    return nil
  }

  private func content(
    _ name: String, _ directory: borrowing OpenDirectory
  ) throws(Unreadable) -> (content: [UInt8], number: ino_t) {
    let file: FileDescriptor
    do {
      // Non-blocking: opening a pipe without a writer would wait forever.
      file = try directory.open(name, O_RDONLY | O_NONBLOCK)
    } catch {
      switch error {
      case .noSuchFileOrDirectory: throw .missing
      case .tooManySymbolicLinkLevels: throw .strange("is a symbolic link")
      case let errno: throw .failed(errno)
      }
    }
    defer { try? file.close() }  // Nothing was written.
    var status = stat()
    guard unsafe fstat(file.rawValue, &status) == 0 else { throw .failed(Errno(rawValue: errno)) }
    if let reason = Self.strangeness(of: status) { throw .strange(reason) }
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

  /// Renames an unusable file, so that it is not read again; one is kept per name. A file other than number `number`, which has
  /// replaced it meanwhile, stays.
  private func setAside(
    _ name: String, _ directory: borrowing OpenDirectory, number: ino_t?, because reason: String
  ) -> TokenStoreProblem {
    if let number, let now = try? directory.status(of: name), now.st_ino != number {
      return TokenStoreProblem(.damaged, "\(path)/\(name) \(reason); another one has taken its place")
    }
    do {
      try directory.rename(name, to: "\(name).damaged")
      return TokenStoreProblem(.damaged, "\(path)/\(name) \(reason); it is \(name).damaged now")
    } catch {
      return TokenStoreProblem(.unusable, "\(path)/\(name) \(reason), and cannot be set aside: \(error)")
    }
  }

  private func removeLeftovers(_ directory: borrowing OpenDirectory) {
    guard let names = try? directory.names() else { return }  // Writing says what is wrong.
    for name in names where name.contains(Self.temporaryMark) {
      guard let status = try? directory.status(of: name), status.st_mtim.tv_sec < time(nil) - Self.longestWriting
      else { continue }
      directory.remove(name)
    }
  }

  private static let temporaryMark = ".temporary-"

  private func temporaryName(for name: String) throws(TokenStoreProblem) -> String {
    do {
      let random = try RandomBytes.make(8).reduce(0) { $0 << 8 | UInt64($1) }
      return "\(name)\(Self.temporaryMark)\(String(random, radix: 16))"
    } catch { throw TokenStoreProblem(.unusable, "\(error)") }
  }
}

/// The file names for a token request, or an account: digests, which reveal nothing.
struct StoreName {
  /// The 32 bytes from which the names are made.
  let digest: [UInt8]

  init(_ grant: TokenGrant) throws(TokenStoreProblem) {
    let identity: [UInt8]
    do { identity = try grant.key.identity() } catch { throw TokenStoreProblem(.unusable, "\(error)") }
    try self.init(identity: identity)
  }

  init(_ account: TokenAccount) throws(TokenStoreProblem) { try self.init(identity: account.identity) }

  private init(identity: [UInt8]) throws(TokenStoreProblem) {
    do { digest = try SHA256.digest(of: identity.span) } catch { throw TokenStoreProblem(.unusable, "\(error)") }
  }

  var token: String { "\(hexadecimal).token" }
  var spending: String { "\(hexadecimal).spending" }
  var lock: String { "\(hexadecimal).lock" }

  private var hexadecimal: String {
    digest.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
  }
}

/// An exclusive lock on a file. The kernel releases it when the process ends, for whatever reason.
final class FileLock: TokenClaim {
  private let descriptor: FileDescriptor

  /// Locks the open file `descriptor` and takes ownership of it; nil while another process holds the lock.
  init?(_ descriptor: FileDescriptor) throws(Errno) {
    guard flock(descriptor.rawValue, LOCK_EX | LOCK_NB) == 0 else {
      let failure = Errno(rawValue: errno)
      try? descriptor.close()  // Nothing was written.
      if failure == .wouldBlock { return nil }
      throw failure
    }
    self.descriptor = descriptor
  }

  /// Releases the lock at once: the kernel would do so only when the last reference to the open file is gone.
  func end() { _ = flock(descriptor.rawValue, LOCK_UN) }

  func release() async { end() }

  deinit { try? descriptor.close() }  // Nothing was written.
}
