internal import CLinux
internal import Glibc
internal import Synchronization
public import SystemPackage

/// The file of a Unix socket that this process listens on. Removed with this value, unless another file has replaced it.
public struct SocketFile: ~Copyable {
  /// Where it is.
  public let path: String
  private let identity: Identity
  private let right: SocketFileRight?
  private var isPassedOn = false

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

    init?(text: String) {
      let parts = text.split(separator: ":")
      guard parts.count == 2, let device = UInt(parts[0]), let number = UInt(parts[1]) else { return nil }
      (self.device, self.number, isSocket) = (device, number, true)
    }

    var text: String { "\(device):\(number)" }

    /// What is at `path`, links not followed; nil where there is nothing to be seen.
    init?(path: String) {
      var status = stat()
      guard unsafe lstat(path, &status) == 0 else { return nil }
      self.init(status)
    }
  }

  private init(path: String, identity: Identity, right: SocketFileRight? = nil) {
    self.path = path
    self.identity = identity
    self.right = right
  }

  /// The file at `path` that another process has made and passes on with its socket; `identity` is what that process calls it.
  /// Nil where that is no identity.
  ///
  /// - Parameter right: says from when on it is this process's to remove.
  init?(passed path: String, identity: String, right: SocketFileRight) {
    guard let known = Identity(text: identity) else { return nil }
    self.init(path: path, identity: known, right: right)
  }

  /// Which file it is, for the process that it is passed on to.
  var identityText: String { identity.text }

  /// Another process looks after the file from now on: it is not removed.
  mutating func passOn() { isPassedOn = true }

  /// The file at `path`, which was bound just now, once it has these permissions.
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
    guard !isPassedOn, right?.isHeld != false else { return }
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

/// Whether the files of sockets that another process passes on are this process's to remove already. Until it serves, they belong
/// to the other one, which goes on if this one ends.
public final class SocketFileRight: Sendable {
  private let held = Atomic<Bool>(false)

  /// Not held.
  public init() {}

  /// Whether the files are this process's.
  public var isHeld: Bool { held.load(ordering: .relaxed) }

  /// From now on they are.
  public func take() { held.store(true, ordering: .relaxed) }
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
