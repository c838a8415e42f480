internal import CLinux
internal import Glibc
public import SystemPackage

/// The file of a Unix socket that this process listens on. Removed with this value, unless another file has replaced it.
public struct SocketFile: ~Copyable {
  /// Where it is.
  public let path: String
  private let identity: Identity

  /// Identifies a file independently of its name.
  private struct Identity: Equatable {
    let device: UInt
    let number: UInt
    let isSocket: Bool

    init(_ status: stat) {
      device = UInt(status.st_dev)
      number = UInt(status.st_ino)
      isSocket = status.st_mode & S_IFMT == S_IFSOCK
    }

    /// The file at `path`, without following links; nil if it cannot be seen.
    init?(path: String) {
      var status = stat()
      guard unsafe lstat(path, &status) == 0 else { return nil }
      self.init(status)
    }
  }

  private init(path: String, identity: Identity) {
    self.path = path
    self.identity = identity
  }

  /// The file at `path`, which was just bound, after setting these permissions.
  static func claim(
    _ path: String, mode: UInt32, owner: UInt32?, group: UInt32?
  ) throws(SocketFileError) -> SocketFile {
    let opened = unsafe clinux_open_path(path)
    guard opened >= 0 else { throw SocketFileError(.last) }
    let descriptor = Descriptor(owning: opened)
    var status = stat()
    guard unsafe fstat(descriptor.number, &status) == 0 else { throw SocketFileError(.last) }
    let identity = Identity(status)
    // A user who may write to the directory may have put something else there meanwhile.
    guard identity.isSocket else { throw .notASocket }
    let file = SocketFile(path: path, identity: identity)
    guard clinux_set_permissions(descriptor.number, owner ?? .max, group ?? .max, mode) == 0 else {
      throw .permissions(.last)
    }
    return file
  }

  deinit {
    guard Identity(path: path) == identity else { return }
    // If this process may no longer write to the directory, the next process that binds the path finds a stale socket.
    unsafe _ = unlink(path)
  }

  /// Removes what an ended process left at `path`: only a socket that no process listens on.
  static func removeStale(_ path: String) throws(SocketFileError) {
    guard let found = Identity(path: path) else { return }
    guard found.isSocket else { throw .notASocket }
    switch unsafe clinux_unix_is_served(path) {
    case 0: break
    case 1: throw .inUse
    default: throw SocketFileError(.last)
    }
    guard unsafe unlink(path) == 0 || Errno.last == .noSuchFileOrDirectory else { throw SocketFileError(.last) }
  }

  /// Locks the directory of `path`, so that only one of two processes that find the same stale socket replaces it. Closing the
  /// descriptor releases the lock.
  static func lockDirectory(of path: String) throws(SocketFileError) -> Descriptor {
    let slash = path.lastIndex(of: "/")
    let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let number = unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard number >= 0 else { throw .directory(directory, .last) }
    let descriptor = Descriptor(owning: number)
    guard flock(number, LOCK_EX | LOCK_NB) == 0 else { throw .beingReplaced }
    return descriptor
  }
}

/// Why there is no Unix socket at a path.
public enum SocketFileError: Error, Equatable {
  /// A process listens there.
  case inUse
  /// Another process is about to listen there.
  case beingReplaced
  /// The file there is not a socket, and not ours to remove.
  case notASocket
  /// The directory cannot be used.
  case directory(String, Errno)
  /// Its owner, group or mode cannot be set.
  case permissions(Errno)
  /// The system call failed for another reason.
  case system(Errno)

  init(_ errno: Errno) {
    self = .system(errno)
  }
}
