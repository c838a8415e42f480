import Foundation
import Glibc
import LoopbackTesting
import Reactor
import SystemPackage
import Testing

@Suite("A Unix socket that is listened on") struct ListeningSocketTests {
  private let directory: URL
  private var path: String { directory.appending(path: "proxy.sock").path }

  init() throws {
    directory = FileManager.default.temporaryDirectory.appending(path: "socket-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  }

  private func make(mode: UInt32 = 0o600, owner: UInt32? = nil, group: UInt32? = nil) throws(SocketFileError)
    -> ListeningSocket
  {
    try ListeningSocket(path: path, mode: mode, owner: owner, group: group)
  }

  private func failure(owner: UInt32? = nil) -> SocketFileError? {
    do throws(SocketFileError) { _ = try make(owner: owner) } catch { return error }
    return nil
  }

  private var exists: Bool { FileManager.default.fileExists(atPath: path) }

  private var permissions: UInt32? {
    var status = stat()
    return unsafe lstat(path, &status) == 0 ? status.st_mode & 0o7777 : nil
  }

  @Test("has the permissions that were asked for, whatever the umask", arguments: [0o600, 0o660, 0o666, 0o622])
  func mode(mode: UInt32) throws {
    let socket = try make(mode: mode)
    #expect(permissions == mode)
    #expect(socket.address == "unix:\(path)" && socket.isUnix && socket.port == 0)
  }

  @Test("belongs to the user and the group that were asked for", .enabled(if: getuid() == 0))
  func owner() throws {
    let socket = try make(owner: 12_345, group: 54_321)
    var status = stat()
    #expect(unsafe lstat(path, &status) == 0)
    #expect(status.st_uid == 12_345 && status.st_gid == 54_321)
    _ = consume socket
  }

  @Test("without a file has a name that only one process has at a time")
  func abstract() throws {
    let name = "m2m-test-\(UUID().uuidString)"
    let socket = try ListeningSocket(abstract: name)
    #expect(socket.address == "unix:@\(name)" && socket.isUnix && socket.port == 0)
    #expect(throws: SocketFileError.inUse) { _ = try ListeningSocket(abstract: name) }
    _ = consume socket
    #expect(throws: Never.self) { _ = try ListeningSocket(abstract: name) }
    #expect(throws: SocketFileError.system(.fileNameTooLong)) {
      _ = try ListeningSocket(abstract: String(repeating: "a", count: 107))
    }
  }

  @Test("is removed with its owner")
  func removed() throws {
    let socket = try make()
    #expect(exists)
    _ = consume socket
    #expect(!exists)
  }

  @Test("is left alone where another file has taken its place")
  func replaced() throws {
    let socket = try make()
    try FileManager.default.removeItem(atPath: path)
    #expect(FileManager.default.createFile(atPath: path, contents: Data()))
    _ = consume socket
    #expect(exists)
  }

  @Test("replaces one that no process listens on any more")
  func stale() throws {
    let left = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
    let bound = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(left, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    #expect(bound == 0)
    _ = Glibc.close(left)
    #expect(exists)
    let socket = try make()
    #expect(permissions == 0o600)
    _ = consume socket
  }

  @Test("is not taken from a process that listens there")
  func inUse() throws {
    let socket = try make()
    #expect(failure() == .inUse)
    #expect(exists)
    _ = consume socket
  }

  @Test("never replaces a file of another kind, nor what a link leads to")
  func otherFiles() throws {
    #expect(FileManager.default.createFile(atPath: path, contents: Data("precious".utf8)))
    #expect(failure() == .notASocket)
    #expect(FileManager.default.contents(atPath: path) == Data("precious".utf8))
    try FileManager.default.removeItem(atPath: path)
    try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/nowhere")
    #expect(failure() == .notASocket)
    try FileManager.default.removeItem(atPath: path)
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    #expect(failure() == .notASocket)
  }

  @Test("needs a directory that is there, and a path for which there is room")
  func directories() throws {
    func failure(_ path: String) -> SocketFileError? {
      do throws(SocketFileError) {
        _ = try ListeningSocket(path: path, mode: 0o600, owner: nil, group: nil)
      } catch {
        return error
      }
      return nil
    }
    let missing = directory.appending(path: "missing").path
    #expect(failure(missing + "/proxy.sock") == .directory(missing, .noSuchFileOrDirectory))
    let long = directory.path + "/" + String(repeating: "x", count: 107)
    #expect(failure(long) == .system(.fileNameTooLong))
  }

  @Test("is not made while another process is about to make one in the same directory")
  func locked() throws {
    let other = unsafe open(directory.path, O_RDONLY | O_DIRECTORY)
    defer { _ = Glibc.close(other) }
    #expect(flock(other, LOCK_EX) == 0)
    #expect(failure() == .beingReplaced)
  }

  @Test("wakes every loop that has a copy for its share, and reports the peer")
  func shared() throws {
    let loops = try (0..<2).map { _ in try RunningLoop() }
    let accepted = Accepted()
    let socket = try make()
    var listeners: [Listener] = []
    let copy = try socket.copy()
    listeners.append(
      Listener(copy, sharesQueue: true, on: loops[1].loop) { _, peer in accepted.note(1, peer) })
    listeners.append(
      Listener(socket, sharesQueue: true, on: loops[0].loop) { _, peer in accepted.note(0, peer) })
    let both = listeners
    for (index, running) in loops.enumerated() {
      try running.run { try both[1 - index].start() }
    }
    // One after the other, until each loop has had one: which of them is back first is up to the scheduler.
    var number = 0
    while number < 10_000, accepted.all.contains(0) {
      number += 1
      let client = try UnixClient(path: path)
      accepted.wait(for: number)
      client.close()
    }
    let counts = accepted.all
    #expect(counts.reduce(0, +) == number && counts.allSatisfy { $0 > 0 }, "\(counts)")
    for (index, running) in loops.enumerated() { try running.run { both[1 - index].close() } }
    #expect(!exists)
  }
}

/// Which loop has accepted how often.
private final class Accepted: @unchecked Sendable {
  private let condition = NSCondition()
  private var counts = [0, 0]

  var all: [Int] { condition.withLock { counts } }

  func note(_ loop: Int, _ peer: SocketPeer) {
    condition.withLock {
      counts[loop] += peer == .user(getuid()) ? 1 : 100
      condition.broadcast()
    }
  }

  func wait(for count: Int) {
    condition.withLock { while counts.reduce(0, +) < count { condition.wait() } }
  }
}

/// A connection to a Unix socket.
private struct UnixClient {
  private let descriptor: Int32

  init(path: String) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
    let status = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard status == 0 else { throw Errno.last }
  }

  func close() { _ = Glibc.close(descriptor) }
}
