import Bytes
import Foundation
import Testing

@testable import Telemetry

@Suite("Syslog") struct SyslogTests {
  /// A receiver at a path of its own.
  final class Receiver {
    let path: String
    private var listener: Int32 = -1
    private var connection: Int32 = -1

    init() {
      path = FileManager.default.temporaryDirectory.appending(path: "syslog-\(UUID().uuidString.prefix(8))").path
    }

    deinit { stop() }

    func start(_ type: __socket_type) throws {
      listener = socket(AF_UNIX, Int32(type.rawValue), 0)
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      let bytes = Array(path.utf8) + [0]
      unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
      let result = unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
      try #require(result == 0)
      if type == SOCK_STREAM { try #require(listen(listener, 5) == 0) }
    }

    func stop() {
      for descriptor in [listener, connection] where descriptor >= 0 { close(descriptor) }
      (listener, connection) = (-1, -1)
      unsafe _ = unlink(path)
    }

    /// Waits for a minute at most, so that a test fails rather than hangs.
    private func isReadable(_ descriptor: Int32) -> Bool {
      var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      return unsafe poll(&waiting, 1, 60_000) == 1
    }

    /// The next datagram, or what a stream has.
    func receive(fromStream: Bool = false) -> String {
      if fromStream && connection < 0 && isReadable(listener) { connection = accept(listener, nil, nil) }
      var bytes = [UInt8](repeating: 0, count: 1 << 20)
      let descriptor = fromStream ? connection : listener
      guard isReadable(descriptor) else { return "nothing was received" }
      let count = unsafe recv(descriptor, &bytes, bytes.count, 0)
      return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
  }

  let receiver = Receiver()
  let line = "time=2026-11-23T12:00:00.123Z event=request status=200"

  func output() -> SyslogOutput {
    SyslogOutput(SyslogAddress(socket: receiver.path, facility: 16, tag: "proxy"))
  }

  func block(_ text: String, capacity: Int = 1024) -> ByteBuffer {
    let block = ByteBuffer(capacity: capacity)
    block.append(text)
    return block
  }

  func send(_ text: String, to output: SyslogOutput) -> String {
    let block = block(text, capacity: text.utf8.count)
    while !block.isEmpty {
      guard case .wrote(let bytes, _) = output.step(block) else { return "not written" }
      block.consume(bytes)
    }
    return "written"
  }

  /// What stands before each line.
  func head(_ priority: Int, _ event: String) -> String {
    var name = [CChar](repeating: 0, count: 256)
    unsafe _ = gethostname(&name, 255)
    let host = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return "<\(priority)>1 2026-11-23T12:00:00.123Z \(host) proxy \(getpid()) \(event) - "
  }

  @Test("each line is a datagram of RFC 5424, with the line as it is")
  func datagrams() throws {
    try receiver.start(SOCK_DGRAM)
    let output = output()
    let warning = "time=2026-11-23T12:00:00.123Z level=warning event=token_budget credentials=kinde"
    #expect(send("\(line)\n\(warning)\n", to: output) == "written")
    #expect(receiver.receive() == head(134, "request") + line)
    #expect(receiver.receive() == head(132, "token_budget") + warning)
  }

  @Test("JSON too, and a line that lies in two blocks")
  func json() throws {
    try receiver.start(SOCK_DGRAM)
    let output = output()
    let json = #"{"time":"2026-11-23T12:00:00.123Z","level":"error","event":"caller","error":"x"}"#
    #expect(send(String(json.prefix(20)), to: output) == "written")
    #expect(send(json.dropFirst(20) + "\n", to: output) == "written")
    #expect(receiver.receive() == head(131, "caller") + json)
    let plain = #"{"time":"2026-11-23T12:00:00.123Z","event":"request"}"#
    #expect(send(plain + "\n", to: output) == "written")
    #expect(receiver.receive() == head(134, "request") + plain)
  }

  @Test("where the socket is a stream, a line feed ends each message")
  func stream() throws {
    try receiver.start(SOCK_STREAM)
    #expect(send("\(line)\n\(line)\n", to: output()) == "written")
    let expected = head(134, "request") + line + "\n"
    #expect(receiver.receive(fromStream: true).hasPrefix(expected))
  }

  @Test(
    "a receiver that is not there stalls it; one that was started again is found", arguments: [SOCK_DGRAM, SOCK_STREAM])
  func restarted(_ type: __socket_type) throws {
    let output = output()
    let waiting = block("\(line)\n")
    guard case .stalled(.unreachable, let problem) = output.step(waiting) else {
      Issue.record("there is nothing to write to")
      return
    }
    #expect(problem == "syslog at \(receiver.path) cannot be reached: No such file or directory")
    try receiver.start(type)
    guard case .wrote(let bytes, 1) = output.step(waiting) else {
      Issue.record("the receiver is there")
      return
    }
    #expect(bytes == line.utf8.count + 1)
    let isStream = type == SOCK_STREAM
    #expect(receiver.receive(fromStream: isStream).hasPrefix(head(134, "request") + line))
    receiver.stop()
    try receiver.start(type)
    #expect(send("\(line)\n", to: output) == "written")
    #expect(receiver.receive(fromStream: isStream).hasPrefix(head(134, "request") + line))
  }

  @Test("a message that is longer than the socket takes is cut, and says so")
  func long() throws {
    try receiver.start(SOCK_DGRAM)
    let long = "\(line) detail=\(String(repeating: "é", count: 200_000))"
    #expect(send(long + "\n", to: output()) == "written")
    let received = receiver.receive()
    #expect(received.hasPrefix(head(134, "request") + line) && received.hasSuffix("é…"))
    #expect(received.utf8.count <= 64 * 1024 && received.utf8.count > 60 * 1024)
  }

  @Test(
    "a receiver that takes nothing at the moment blocks it, and what it has is sent later",
    arguments: [SOCK_DGRAM, SOCK_STREAM])
  func blocked(_ type: __socket_type) throws {
    try receiver.start(type)
    let isStream = type == SOCK_STREAM
    let output = output()
    var sent = 0
    var waiting = block("\(line)\n")
    while case .wrote = output.step(waiting) {
      sent += 1
      waiting = block("\(line)\n")
    }
    #expect(sent > 0)
    guard case .blocked = output.step(waiting) else {
      Issue.record("the queue of the receiver is full")
      return
    }
    let expected = head(134, "request") + line
    #expect(receiver.receive(fromStream: isStream).hasPrefix(expected))
    guard case .wrote = output.step(waiting) else {
      Issue.record("there is room again")
      return
    }
  }
}
