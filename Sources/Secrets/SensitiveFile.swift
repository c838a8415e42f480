import Glibc
import SystemPackage

/// A regular file that may hold secrets, read whole into memory that is wiped afterwards.
package struct SensitiveFile {
  private let path: String
  private let status: stat
  private let descriptor: FileDescriptor

  /// Why a file was not read.
  package enum Failure: Error, Equatable {
    /// A system call refused; `permission` is set when it was for want of permission.
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

  /// Calls `body` with the content of the file at `path`, and with the file itself while it is open, unless it holds more
  /// than `limit` bytes.
  package static func read<R>(
    path: String, limit: Int, _ body: (Span<UInt8>, SensitiveFile) -> R
  ) throws(Failure) -> R {
    let file = try SensitiveFile(path: path)
    defer { try? file.descriptor.close() }  // Nothing was written: a failing close loses nothing.
    return try file.content(limit: limit) { body($0, file) }
  }

  /// What other users could do to the file, or to what is in it; to follow its name. Nil when it is in good hands.
  ///
  /// It is the open file that is looked at, and the directories that it is in.
  package var exposure: String? { Custody().complaint(file: status, path: path) }

  /// The same of the file at `path`; nil also where there is none.
  package static func exposure(path: String, showsPaths: Bool) -> String? {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return nil }
    return Custody(showsPaths: showsPaths).complaint(file: status, path: path)
  }

  /// The permission bits of the file at `path`, or nil when it cannot be examined.
  package static func mode(path: String) -> UInt32? {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return nil }
    return status.st_mode & 0o7777
  }

  private init(path: String) throws(Failure) {
    self.path = path
    do {
      // Non-blocking: opening a pipe that nobody writes to would wait for ever.
      descriptor = try FileDescriptor.open(FilePath(path), .readOnly, options: [.nonBlocking, .closeOnExec])
    } catch {
      throw Failure(error as? Errno ?? .ioError)
    }
    var status = stat()
    guard unsafe fstat(descriptor.rawValue, &status) == 0 else {
      let failure = Failure(Errno(rawValue: errno))
      try? descriptor.close()  // The failure above is the one to tell.
      throw failure
    }
    self.status = status
    let kind = status.st_mode & S_IFMT
    guard kind == S_IFREG else {
      try? descriptor.close()  // As above.
      throw kind == S_IFDIR ? .directory : .notRegular
    }
  }

  private func content<R>(limit: Int, _ body: (Span<UInt8>) -> R) throws(Failure) -> R {
    // One byte more than accepted, so that a longer file is noticed without trusting its stated size.
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
