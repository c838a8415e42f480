import CLinux
import Foundation
import Glibc
import Locks
import LoopbackTesting
import Reactor
import SystemPackage
import Testing

@testable import Control

@Suite("The control socket") struct ControlSocketTests {
  private let directory: URL
  private var path: String { directory.appending(path: "control.sock").path }

  init() throws {
    directory = FileManager.default.temporaryDirectory.appending(path: "control-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  }

  /// A server on a loop of its own, closed when it goes.
  private final class Running {
    let place: ControlPlace
    private let loop: RunningLoop
    private let server: ControlServer

    init(_ place: ControlPlace, user: UInt32 = geteuid(), reload: String = "reloaded") throws {
      self.place = place
      loop = try RunningLoop()
      let server = try ControlServer(at: place, on: loop.loop, user: user)
      self.server = server
      var actions = ControlActions(
        status: { ControlStatus([.init("pid", .number(Int(getpid()))), .init("text", .text("é"))]) },
        health: { _ in ControlOutcome(.done, "ok") }, drain: { ControlOutcome(.done, "drain") },
        setLogLevel: { _, _ in ControlOutcome(.misused, "no") })
      actions.reload = { ControlOutcome(.badFile, reload) }
      let ready = actions
      try loop.run { try server.start(ready) }
    }

    func close() throws {
      let server = server
      try loop.run { server.close() }
    }

    deinit { try? close() }
  }

  private func send(_ method: String, _ target: String, to place: ControlPlace) throws -> ControlClient.Reply {
    try ControlClient([place]).send(method, target, patience: .seconds(20))
  }

  @Test("takes commands at a path and at a name without a file", arguments: [false, true])
  func roundTrip(isAbstract: Bool) throws {
    let place = isAbstract ? ControlPlace.abstract("m2m-test-\(UUID().uuidString)") : .file(path)
    let running = try Running(place)
    let status = try send("GET", "/status", to: place)
    #expect(status.kind == .done && status.number("pid") == Int(getpid()) && status.number("text") == nil)
    #expect(status.place == place)
    #expect(try send("POST", "/reload", to: place).kind == .badFile)
    #expect(try send("GET", "/nothing", to: place).kind == nil)
    #expect(FileManager.default.fileExists(atPath: path) == !isAbstract)
    try running.close()
    #expect(!FileManager.default.fileExists(atPath: path))
    #expect(throws: ControlClient.Failure.self) { try send("GET", "/status", to: place) }
  }

  @Test("is for the process's own user alone: mode 0600")
  func mode() throws {
    let running = try Running(.file(path))
    var status = stat()
    #expect(unsafe lstat(path, &status) == 0 && status.st_mode & 0o7777 == 0o600)
    try running.close()
  }

  @Test("replaces one that no process listens on, and no other")
  func stale() throws {
    let left = unsafe clinux_bind_unix(path)
    try #require(left >= 0)
    close(left)
    let running = try Running(.file(path))
    #expect(throws: SocketFileError.inUse) { _ = try Running(.file(path)) }
    #expect(try send("GET", "/status", to: running.place).kind == .done)
    let file = directory.appending(path: "file")
    try Data("mine".utf8).write(to: file)
    #expect(throws: SocketFileError.notASocket) { _ = try Running(.file(file.path)) }
    #expect(try Data(contentsOf: file) == Data("mine".utf8))
  }

  @Test("is made also where other processes make theirs in the same directory at the same time")
  func together() throws {
    let made = Monitor(0)
    DispatchQueue.concurrentPerform(iterations: 16) { number in
      for round in 0..<8 {
        do {
          let loop = try EventLoop()
          let server = try ControlServer(at: .file("\(directory.path)/\(number)-\(round).sock"), on: loop)
          server.close()
          made.withLock { $0 += 1 }
        } catch {
          Issue.record("\(error)")
        }
      }
    }
    #expect(made.withLock { $0 } == 128)
  }

  @Test("is for its own user and root")
  func users() {
    #expect(ControlServer.admits(.user(1000), 1000) && ControlServer.admits(.user(0), 1000))
    #expect(!ControlServer.admits(.user(1001), 1000) && !ControlServer.admits(.user(1000), 0))
    #expect(!ControlServer.admits(.address("127.0.0.1:1"), 1000))
  }

  @Test("is trusted by its own user, and by others if only root, or for root only trusted users, can have made it")
  func owners() throws {
    let (file, name) = (ControlPlace.file(path), ControlPlace.abstract("x"))
    func isBelieved(_ user: UInt32, _ place: ControlPlace, _ owner: UInt32) -> Bool {
      ControlClient([place], user: user).complaint(about: place, of: owner) == nil
    }
    for place in [file, name] {
      #expect(isBelieved(1000, place, 1000) && isBelieved(1000, place, 0) && isBelieved(0, place, 0))
      #expect(!isBelieved(1000, place, 1001))
    }
    #expect(isBelieved(0, file, 1000) && !isBelieved(0, name, 1000))
    try #require(unsafe chmod(directory.path, 0o1777) == 0)
    #expect(!isBelieved(0, file, 1000) && isBelieved(0, file, 0))
    #expect(!isBelieved(0, .file("/nowhere/x"), 1000))
  }

  @Test("is searched at every place in turn, and the problem of each is reported")
  func places() throws {
    let running = try Running(.file(path))
    let nowhere = [ControlPlace.file("\(directory.path)/none"), .abstract("m2m-test-\(UUID().uuidString)")]
    let reply = try ControlClient(nowhere + [.file(path)]).send("GET", "/status", patience: .seconds(20))
    #expect(reply.place == .file(path))
    do throws(ControlClient.Failure) {
      _ = try ControlClient(nowhere + [.file("/\(String(repeating: "x", count: 200))")]).send(
        "GET", "/", patience: .seconds(20))
      Issue.record("there is no such socket")
    } catch {
      guard case .noProcess(let reasons) = error else {
        Issue.record("\(error)")
        return
      }
      #expect(reasons.count == 1 && reasons[0].contains("File name too long"), "\(reasons)")
    }
    try running.close()
  }

  @Test("serves the next client while many are silent, or do not finish their requests")
  func crowd() throws {
    let running = try Running(.file(path))
    var crowd: [RawUnixSocket] = []
    for text in ["", "GET /status HT"] {
      for _ in 0..<100 { crowd.append(try RawUnixSocket(path, sending: text)) }
      #expect(try send("GET", "/status", to: running.place).kind == .done)
    }
    crowd.removeAll()
    try running.close()
  }

  @Test(
    "refuses what is too long, and has no use for content",
    arguments: [
      ("GET /\(String(repeating: "x", count: 2_000)) HTTP/1.1\r\n\r\n", "414"),
      ("GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: 9_000))\r\n\r\n", "431"),
      ("POST /reload HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", "413"), ("reload\n\n", "400"),
    ])
  func bounds(request: String, status: String) throws {
    let running = try Running(.file(path))
    let socket = try RawUnixSocket(path, sending: request)
    #expect(socket.read(12) == "HTTP/1.1 \(status)")
    try running.close()
  }

  @Test("can send a long response, without control sequences for the terminal")
  func longReply() throws {
    let text = String(repeating: "5:1: unknown setting \u{1B}[2J\n", count: 20_000)
    let running = try Running(.file(path), reload: text)
    let reply = try send("POST", "/reload", to: running.place)
    #expect(reply.kind == .badFile && reply.text + "\n" == text.replacing("\u{1B}", with: "\u{FFFD}"))
    try running.close()
  }

  @Test(
    "is not believed where the response is cut off, or none",
    arguments: [
      "", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nok", "HTTP/1.1 x\r\nContent-Length: 2\r\n\r\nok", "\r\n\r\n",
      "SSH-2.0 200\r\nContent-Length: 0\r\n\r\n",
    ])
  func broken(response: String) {
    #expect(ControlClient.reply(Array(response.utf8), from: .file("/x")) == nil)
  }

  @Test("reports the end of the process that listens")
  func processEnd() throws {
    let running = try Running(.file(path))
    let end = try ControlClient([running.place]).processEnd(patience: .seconds(20))
    guard let end else {
      Issue.record("the kernel has no pidfd_open")
      return
    }
    let hasEnded = end.wait(.milliseconds(1))
    #expect(!hasEnded)
    try running.close()
  }
}

/// A connection to a Unix socket that says what it is told to.
final class RawUnixSocket {
  private let descriptor: Int32

  init(_ path: String, sending text: String) throws {
    descriptor = unsafe clinux_connect_unix(path, 20_000)
    try #require(descriptor >= 0)
    let bytes = Array(text.utf8)
    // One that had to give way already does not mind.
    _ = unsafe Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
  }

  deinit { close(descriptor) }

  func read(_ count: Int) -> String {
    var bytes = [UInt8](repeating: 0, count: count)
    let received = unsafe recv(descriptor, &bytes, count, Int32(MSG_WAITALL))
    return String(decoding: bytes.prefix(max(0, received)), as: UTF8.self)
  }
}
