import Bytes
import Glibc

/// A log file, which other programs may rename, remove and truncate while the proxy writes it.
final class LogFile: LogOutput {
  /// The system calls that tests make fail.
  @safe struct System {
    var write: (_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int = { descriptor, bytes in
      unsafe Glibc.write(descriptor, bytes.baseAddress, bytes.count)
    }
    /// Nanoseconds of a clock that only goes forward.
    var now: () -> UInt64 = monotonicNanoseconds
  }

  // How often to compare the path with the open file, in nanoseconds.
  private static let lookInterval: UInt64 = 1_000_000_000

  private let path: String
  private let system: System
  private var descriptor: Int32
  private var lastLook: UInt64
  /// The length of the file when only the beginning of a line had been written; nil after a complete line.
  private var tornAt: off_t?
  /// Whether the rest of a line is being skipped.
  private var isSkipping = false
  /// Why the last write failed.
  private var lastFailure = LogLoss.writeFailed

  /// Opens the file at `path`.
  init(path: String, system: System = System()) throws(LogOutputError) {
    self.path = path
    self.system = system
    descriptor = try Self.open(path)
    lastLook = system.now()
  }

  deinit { close(descriptor) }

  // MARK: Writing

  func step(_ block: ByteBuffer) -> LogStep {
    if let problem = look() { return .stalled(.writeFailed, problem) }
    if isSkipping { return skip(block) }
    let written = unsafe block.withUnsafeReadableBytes { unsafe system.write(descriptor, $0) }
    if written > 0 {
      let end = block.start + written
      tornAt = block.bytes(end - 1..<end)[0] == UInt8(ascii: "\n") ? nil : lseek(descriptor, 0, SEEK_CUR)
      return .wrote(block, written)
    }
    let error = written < 0 ? errno : EIO
    if error == EINTR { return .wrote(bytes: 0, lines: 0) }
    lastFailure = [ENOSPC, EDQUOT, EFBIG].contains(error) ? .diskFull : .writeFailed
    return .stalled(lastFailure, "\(path) cannot be written: \(errorText(error))")
  }

  /// Skips the rest of a line whose beginning is in another file: half a line would be read as a whole one.
  private func skip(_ block: ByteBuffer) -> LogStep {
    let bytes = block.readableBytes
    for index in bytes.indices where bytes[index] == UInt8(ascii: "\n") {
      isSkipping = false
      return .skipped(bytes: index + 1, lines: 1, lastFailure)
    }
    return .skipped(bytes: bytes.count, lines: 0, lastFailure)
  }

  // MARK: The file at the path

  func reopen() -> String? {
    let next: Int32
    do throws(LogOutputError) { next = try Self.open(path) } catch { return error.description }
    if isMidLine {
      isSkipping = true
      if !isSameFile(next) { endTornLine() }
    }
    tornAt = nil
    close(descriptor)
    descriptor = next
    return nil
  }

  private var isMidLine: Bool { tornAt != nil || isSkipping }

  /// Checks, once a second, whether the path leads to another file by now, and opens that. Returns why it cannot be opened.
  private func look() -> String? {
    let now = system.now()
    if let tornAt, status(descriptor).map({ $0.st_size < tornAt }) ?? false {
      // The file was truncated, and the beginning of the line is gone with it.
      self.tornAt = nil
      isSkipping = true
    }
    guard now - lastLook >= Self.lookInterval else { return nil }
    lastLook = now
    return isInPlace ? nil : reopen()
  }

  private var isInPlace: Bool {
    var found = stat()
    guard unsafe stat(path, &found) == 0 else {
      // A directory that is inaccessible for a while is no reason to leave the file.
      return errno != ENOENT && errno != ENOTDIR
    }
    guard let own = status(descriptor) else { return false }
    return own.st_dev == found.st_dev && own.st_ino == found.st_ino
  }

  private func isSameFile(_ other: Int32) -> Bool {
    guard let one = status(descriptor), let two = status(other) else { return false }
    return one.st_dev == two.st_dev && one.st_ino == two.st_ino
  }

  private func status(_ descriptor: Int32) -> stat? {
    var status = stat()
    return unsafe fstat(descriptor, &status) == 0 ? status : nil
  }

  /// Marks a line that was cut off at the end of the earlier file, if there is room.
  private func endTornLine() {
    let end = Array("…\n".utf8)
    // It may fail as the line did; the line counts as lost in either case.
    unsafe end.withUnsafeBytes { unsafe _ = system.write(descriptor, $0) }
  }

  // MARK: Opening

  private static func open(_ path: String) throws(LogOutputError) -> Int32 {
    // Without O_NONBLOCK, opening a named pipe would block. O_NOFOLLOW stops users who may write to the directory from
    // making the proxy write to a file elsewhere.
    let flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
    let descriptor = unsafe Glibc.open(path, flags, 0o640)
    guard descriptor >= 0 else { throw LogOutputError(complaint(path, errno)) }
    var status = stat()
    let problem: String? =
      if unsafe fstat(descriptor, &status) != 0 {
        errorText(errno)
      } else if status.st_mode & S_IFMT != S_IFREG {
        "it is not a regular file; without log.file the log goes to standard output"
      } else if status.st_nlink > 1 {
        "the file has another name as well (a hard link); name a file that has one name"
      } else {
        nil
      }
    if let problem {
      close(descriptor)
      throw LogOutputError("the log file \(path) cannot be used: \(problem)")
    }
    if status.st_size > 0 { endLastLine(path, descriptor, status.st_size) }
    return descriptor
  }

  private static func complaint(_ path: String, _ error: Int32) -> String {
    let text =
      switch error {
      case ELOOP: "it is a symbolic link; name the file itself"
      case ENXIO: "it is not a regular file; without log.file the log goes to standard output"
      case ENOENT: "\(errorText(error)); its directory must exist"
      default: errorText(error)
      }
    return "the log file \(path) cannot be opened: \(text)"
  }

  /// Ends the last line of a file whose earlier writer did not: the next line would look like the rest of it.
  private static func endLastLine(_ path: String, _ descriptor: Int32, _ size: off_t) {
    let reading = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    // A file that can be written but not read stays as it is.
    guard reading >= 0 else { return }
    defer { close(reading) }
    var last: UInt8 = 0
    guard unsafe pread(reading, &last, 1, size - 1) == 1, last != UInt8(ascii: "\n") else { return }
    var end = UInt8(ascii: "\n")
    // If this fails, so will the first line, which is then tried again.
    unsafe _ = Glibc.write(descriptor, &end, 1)
  }
}
