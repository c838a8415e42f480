import Bytes
import Foundation
import Locks
import Testing

@testable import Telemetry

@Suite("Log file") struct LogFileTests {
  /// What the system calls of a file do, and the time.
  final class Trouble: Sendable {
    private let state = Monitor((room: Int.max, error: ENOSPC, now: UInt64(0)))

    /// The bytes that can be written before `error`.
    func leave(_ room: Int, then error: Int32 = ENOSPC) {
      state.withLock { state in (state.room, state.error) = (room, error) }
    }

    func pass(seconds: UInt64) { state.withLock { $0.now += seconds * 1_000_000_000 } }

    var system: LogFile.System {
      unsafe LogFile.System(
        write: { [state] descriptor, bytes in
          let count = state.withLock { state in
            defer { state.room -= min(bytes.count, state.room) }
            return min(bytes.count, state.room)
          }
          guard count > 0 else {
            errno = state.withLock { $0.error }
            return -1
          }
          return unsafe Glibc.write(descriptor, bytes.baseAddress, count)
        }, now: { [state] in state.withLock { $0.now } })
    }
  }

  let directory: URL
  let path: String
  let trouble = Trouble()

  init() throws {
    directory = FileManager.default.temporaryDirectory.appending(path: "log-file-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    path = directory.appending(path: "m.log").path
  }

  /// Removes the directory; at the end of each test.
  func clean() { try? FileManager.default.removeItem(at: directory) }

  func file() throws -> LogFile { try LogFile(path: path, system: trouble.system) }

  func content(_ name: String = "m.log") throws -> String {
    try String(contentsOf: directory.appending(path: name), encoding: .utf8)
  }

  func block(_ text: String) -> ByteBuffer {
    let block = ByteBuffer(capacity: 1024)
    block.append(text)
    return block
  }

  func move(to name: String) throws {
    try FileManager.default.moveItem(atPath: path, toPath: directory.appending(path: name).path)
  }

  /// Writes `block` until it is empty or nothing goes on, and returns what happened but for what was written.
  func write(_ block: ByteBuffer, to file: LogFile) -> [String] {
    var happened: [String] = []
    while !block.isEmpty {
      switch file.step(block) {
      case .wrote(let bytes, _): block.consume(bytes)
      case .skipped(let bytes, let lines, let reason):
        block.consume(bytes)
        happened.append("skipped \(lines) \(reason.rawValue)")
      case .stalled(let reason, _): return happened + ["stalled \(reason.rawValue)"]
      case .blocked, .ended: return happened + ["neither is for a file"]
      }
    }
    return happened
  }

  @Test("a new file has the mode 0640, and an old one is appended to")
  func opening() throws {
    defer { clean() }
    #expect(write(block("one\n"), to: try file()).isEmpty)
    #expect(write(block("two\n"), to: try file()).isEmpty)
    #expect(try content() == "one\ntwo\n")
    var status = stat()
    #expect(unsafe stat(path, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o640)
  }

  @Test("a file that ends within a line gets the end of that line first")
  func unfinished() throws {
    defer { clean() }
    try Data("half a li".utf8).write(to: URL(filePath: path))
    #expect(write(block("next\n"), to: try file()).isEmpty)
    #expect(try content() == "half a li\nnext\n")
  }

  @Test("what is no regular file, a link, or has two names, is rejected with a reason")
  func rejected() throws {
    defer { clean() }
    func reason() -> String {
      do { _ = try file() } catch { return "\(error)" }
      return "none"
    }
    #expect(unsafe mkfifo(path, 0o600) == 0)
    #expect(reason().contains("it is not a regular file"))
    unsafe _ = unlink(path)
    #expect(unsafe symlink("/etc/hostname", path) == 0)
    #expect(reason() == "the log file \(path) cannot be opened: it is a symbolic link; name the file itself")
    unsafe _ = unlink(path)
    try Data().write(to: directory.appending(path: "other"))
    #expect(unsafe link(directory.appending(path: "other").path, path) == 0)
    #expect(reason().contains("a hard link"))
    unsafe _ = unlink(path)
    #expect(unsafe mkdir(path, 0o700) == 0)
    #expect(reason().contains("Is a directory"))
    clean()
    #expect(reason().contains("its directory must exist"))
  }

  @Test("after a rename or a removal the path is opened again, once a second was over", arguments: [true, false])
  func renamed(isRemoved: Bool) throws {
    defer { clean() }
    let file = try file()
    #expect(write(block("one\n"), to: file).isEmpty)
    if isRemoved { unsafe _ = unlink(path) } else { try move(to: "m.log.1") }
    #expect(write(block("two\n"), to: file).isEmpty)
    trouble.pass(seconds: 1)
    #expect(write(block("three\n"), to: file).isEmpty)
    #expect(try content() == "three\n")
    if !isRemoved { #expect(try content("m.log.1") == "one\ntwo\n") }
  }

  @Test("while the path cannot be opened again, lines wait; then they go there")
  func unopenable() throws {
    defer { clean() }
    let file = try file()
    try move(to: "m.log.1")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    trouble.pass(seconds: 1)
    let waiting = block("one\n")
    #expect(write(waiting, to: file) == ["stalled write_failed"])
    #expect(file.reopen()?.contains("Is a directory") == true)
    unsafe _ = rmdir(path)
    trouble.pass(seconds: 1)
    #expect(write(waiting, to: file).isEmpty)
    #expect(try content() == "one\n")
  }

  @Test("opening it again does not wait for the second")
  func reopened() throws {
    defer { clean() }
    let file = try file()
    try move(to: "m.log.1")
    #expect(file.reopen() == nil)
    #expect(write(block("one\n"), to: file).isEmpty)
    #expect(try content() == "one\n")
  }

  @Test("after truncation lines begin at the beginning of the file")
  func truncated() throws {
    defer { clean() }
    let file = try file()
    #expect(write(block("one\n"), to: file).isEmpty)
    #expect(unsafe truncate(path, 0) == 0)
    #expect(write(block("two\n"), to: file).isEmpty)
    #expect(try content() == "two\n")
  }

  @Test(
    "a full disk stalls it, and the line that was cut off is completed when there is room",
    arguments: [ENOSPC, EDQUOT, EFBIG])
  func full(_ error: Int32) throws {
    defer { clean() }
    let file = try file()
    trouble.leave(6, then: error)
    let lines = block("one\ntwo\nthree\n")
    #expect(write(lines, to: file) == ["stalled disk_full"])
    #expect(try content() == "one\ntw")
    trouble.leave(.max)
    #expect(write(lines, to: file).isEmpty)
    #expect(try content() == "one\ntwo\nthree\n")
  }

  @Test("another failure stalls it too")
  func broken() throws {
    defer { clean() }
    let file = try file()
    trouble.leave(0, then: EIO)
    let lines = block("one\n")
    #expect(write(lines, to: file) == ["stalled write_failed"])
    trouble.leave(.max)
    #expect(write(lines, to: file).isEmpty)
    #expect(try content() == "one\n")
  }

  @Test("the rest of a line whose beginning was truncated away is left out, and counts as lost")
  func tornByTruncation() throws {
    defer { clean() }
    let file = try file()
    trouble.leave(6)
    let lines = block("one\ntwo\nthree\n")
    #expect(write(lines, to: file) == ["stalled disk_full"])
    #expect(unsafe truncate(path, 0) == 0)
    trouble.leave(.max)
    #expect(write(lines, to: file) == ["skipped 1 disk_full"])
    #expect(try content() == "three\n")
  }

  @Test("the rest of a line whose beginning is in a renamed file is left out, also where it ends in the next block")
  func tornByRename() throws {
    defer { clean() }
    let file = try file()
    trouble.leave(6)
    let lines = block("one\ntwo, the fir")
    #expect(write(lines, to: file) == ["stalled disk_full"])
    try move(to: "m.log.1")
    trouble.pass(seconds: 1)
    trouble.leave(.max)
    #expect(write(lines, to: file) == ["skipped 0 disk_full"])
    #expect(write(block("st half\nthree\n"), to: file) == ["skipped 1 disk_full"])
    #expect(try content("m.log.1") == "one\ntw…\n")
    #expect(try content() == "three\n")
  }
}
