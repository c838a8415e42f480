import Glibc
package import SystemPackage

/// A regular file that may contain secrets, read completely into memory that is wiped afterwards.
package struct SensitiveFile {
  private let path: String
  private let status: stat
  private let descriptor: FileDescriptor

  /// Why a file was not read.
  package enum Failure: Error, Equatable {
    /// A system call failed; `permission` is true if that was for lack of permission.
    case unreadable(reason: String, permission: Bool)
    /// It is a directory.
    case directory
    /// It is a pipe, a socket or a device: reading it might never end.
    case notRegular
    /// It holds more bytes than the caller accepts.
    case tooLarge

    init(_ errno: Errno) {
      self = .unreadable(reason: errno.description, permission: errno == .permissionDenied)
    }
  }

  /// Calls `body` with the contents of the file at `path`, and with the file itself while it is open, unless it has more than
  /// `limit` bytes.
  package static func read<R>(
    path: String, limit: Int, _ body: (Span<UInt8>, SensitiveFile) -> R
  ) throws(Failure) -> R {
    let file = try SensitiveFile(path: path)
    defer { try? file.descriptor.close() }  // Nothing was written: a failing close loses nothing.
    return try content(of: file.descriptor, limit: limit) { body($0, file) }
  }

  /// Calls `body` with the contents of standard input, which may be a pipe, unless it has more than `limit` bytes.
  package static func readStandardInput<R>(limit: Int, _ body: (Span<UInt8>) -> R) throws(Failure) -> R {
    try content(of: .standardInput, limit: limit, body)
  }

  /// What other users could do to the file or its contents; to follow its name. Nil if it is safe.
  ///
  /// The open file is checked, and the directories that it is in.
  package var exposure: String? {
    Custody().complaint(file: status, path: path, descriptor: descriptor.rawValue)
  }

  /// Who else could change or replace the file, which everyone may read; to follow its name. Nil if it is safe.
  ///
  /// - Parameter trustsOwner: Whether its owner, any user, may do that.
  package func tampering(trustsOwner: Bool = false) -> String? {
    Custody(alsoTrusting: trustsOwner ? status.st_uid : nil)
      .complaint(file: status, path: path, descriptor: descriptor.rawValue, as: .trust)
  }

  /// The same for the file at `path`; nil also if there is none.
  package static func exposure(path: String, showsPaths: Bool) -> String? {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return nil }
    return Custody(showsPaths: showsPaths).complaint(file: status, path: path)
  }

  /// How certain it is that other users could change a file.
  package enum Tampering {
    /// Every user of this machine can write it.
    case byEveryone(String)
    /// Some other user could write or replace it.
    case possible(String)
  }

  /// Who could change or replace the file at `path`, which everyone may read; to follow its name. Nil if it is safe, and if
  /// there is none.
  package static func tampering(path: String, showsPaths: Bool) -> Tampering? {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return nil }
    let custody = Custody(showsPaths: showsPaths)
    if let complaint = custody.complaint(everyone: status, path: path, as: .trust) { return .byEveryone(complaint) }
    return custody.complaint(file: status, path: path, as: .trust).map { .possible($0) }
  }

  private init(path: String) throws(Failure) {
    self.path = path
    do {
      // Non-blocking: opening a pipe without a writer would wait forever.
      descriptor = try FileDescriptor.open(FilePath(path), .readOnly, options: [.nonBlocking, .closeOnExec])
    } catch {
      throw Failure(error as? Errno ?? .ioError)
    }
    var status = stat()
    guard unsafe fstat(descriptor.rawValue, &status) == 0 else {
      let failure = Failure(Errno(rawValue: errno))
      try? descriptor.close()  // Report the failure above instead.
      throw failure
    }
    self.status = status
    let kind = status.st_mode & S_IFMT
    guard kind == S_IFREG else {
      try? descriptor.close()  // As above.
      throw kind == S_IFDIR ? .directory : .notRegular
    }
  }

  private static func content<R>(
    of descriptor: FileDescriptor, limit: Int, _ body: (Span<UInt8>) -> R
  ) throws(Failure) -> R {
    // One byte more than allowed, to detect a longer file without trusting its stated size.
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: limit + 1, alignment: 1)
    var count = 0
    defer {
      unsafe explicit_bzero(memory.baseAddress!, count)
      unsafe memory.deallocate()
    }
    while count <= limit {
      let read: Int
      do {
        read = try unsafe descriptor.read(into: UnsafeMutableRawBufferPointer(rebasing: memory[count...]))
      } catch {
        throw Failure(error as? Errno ?? .ioError)
      }
      if read == 0 { break }
      count += read
    }
    guard count <= limit else { throw .tooLarge }
    return unsafe body(Span(_unsafeBytes: UnsafeRawBufferPointer(rebasing: memory[..<count])))
  }
}

/// Tells whether a file was rewritten or replaced. All missing files are equal.
package struct FileStamp: Equatable, Sendable {
  private var device: UInt = 0
  private var number: UInt = 0
  private var size: Int = 0
  private var seconds = 0
  private var nanoseconds = 0

  /// The stamp of the file at `path`, following links.
  package init(path: String) {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return }
    (device, number, size) = (UInt(status.st_dev), UInt(status.st_ino), Int(status.st_size))
    (seconds, nanoseconds) = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
  }

  /// Whether the file existed.
  package var exists: Bool { number != 0 }
}

extension SensitiveFile.Failure {
  /// What is wrong with a file, to follow its name; `limit` is the most it may hold.
  package func complaint(limit: String) -> String {
    switch self {
    case .unreadable(let reason, permission: true): "cannot be read: \(reason) (running as uid \(geteuid()))"
    case .unreadable(let reason, permission: false): "cannot be read: \(reason)"
    case .directory: "is a directory"
    case .notRegular: "is not a regular file"
    case .tooLarge: "is larger than \(limit)"
    }
  }
}

extension SensitiveFile {
  /// Why a file was not written.
  package enum WriteFailure: Error, Equatable {
    /// The file exists, and the caller did not allow replacing it.
    case exists
    /// A system call failed, for this reason.
    case failed(String)
  }

  /// Writes `bytes` into a file at `path` atomically: it exists completely or not at all, even after a crash.
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
    let staged = try StagedFile(
      bytes, for: name, in: directory, mode: mode, replaces: replaces, keepsOwner: keepsOwner)
    do throws(WriteFailure) { try staged.place(in: directory) } catch {
      staged.discard(in: directory)
      throw error
    }
  }
}

/// A file that is on the disk as a whole, under another name than the one that it is to have.
package struct StagedFile {
  private let name: String
  private let new: String
  private let replaces: Bool

  /// Writes `bytes` for the file `name` of `directory`; the parameters are those of ``SensitiveFile/write``.
  package init(
    _ bytes: Span<UInt8>, for name: String, in directory: borrowing OpenDirectory, mode: UInt32, replaces: Bool,
    keepsOwner: Bool
  ) throws(SensitiveFile.WriteFailure) {
    self.name = name
    self.replaces = replaces
    new = "\(name).new-\(getpid())"
    let old: stat?
    do throws(Errno) { old = try directory.status(of: name, followsLinks: keepsOwner) } catch .noSuchFileOrDirectory {
      old = nil
    } catch {
      throw SensitiveFile.WriteFailure(error)
    }
    guard old == nil || replaces else { throw .exists }
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
          throw SensitiveFile.WriteFailure.failed("the file system there keeps no modes or owners of files")
        }
        _ = try unsafe bytes.withUnsafeBytes { try unsafe file.writeAll($0) }
        guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
      }
    } catch {
      discard(in: directory)
      if let failure = error as? SensitiveFile.WriteFailure { throw failure }
      throw SensitiveFile.WriteFailure(error as? Errno ?? .ioError)
    }
  }

  /// Gives the file the name that it is to have.
  package func place(in directory: borrowing OpenDirectory) throws(SensitiveFile.WriteFailure) {
    do throws(Errno) {
      if replaces { return try directory.rename(new, to: name) }
      // A link, unlike a new name, never takes the place of a file that has come meanwhile.
      try directory.link(new, to: name)
    } catch {
      throw error == .fileExists && !replaces ? .exists : SensitiveFile.WriteFailure(error)
    }
    directory.remove(new)
  }

  /// Removes the file, if it has not been placed.
  package func discard(in directory: borrowing OpenDirectory) { directory.remove(new) }
}

extension SensitiveFile.WriteFailure {
  package init(_ errno: Errno) { self = .failed("\(errno) (running as uid \(geteuid()))") }
}
