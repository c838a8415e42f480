import Bytes
import Foundation
import Glibc
import Interception
import LoopbackTesting
import Reactor
import SecureStreams
import SystemPackage
import Testing

@Suite("A TLS stream") struct TLSStreamTests {
  private let running: RunningLoop
  private let leaves: LeafCertificates

  init() throws {
    running = try RunningLoop()
    leaves = try LeafCertificates(authority(nil), lifetime: .seconds(day), now: { noon })
  }

  /// A stream, and the socket of its client, which has sent `early` already.
  private func connection(_ context: TLSServerContext, early: [UInt8] = []) throws -> (TLSStream, Int32) {
    var sockets: [Int32] = [0, 0]
    unsafe #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &sockets) == 0)
    _ = fcntl(sockets[0], F_SETFL, O_NONBLOCK)
    let received = ByteBuffer(capacity: 1024)
    received.append(early.span)
    let loop = running.loop
    let server = sockets[0]
    let stream = try running.run {
      try TLSStream(Descriptor(owning: server), received: early.isEmpty ? nil : received, context, on: loop)
    }
    return (stream, sockets[1])
  }

  /// Runs `client` on a thread of its own; what comes of it is there when it has ended.
  private func start<Value>(
    _ socket: Int32, _ client: @escaping @Sendable (TLSClient) -> Value
  ) throws -> Answer<Value> {
    let answer = Answer<Value>()
    let tls = try TLSClient(owning: socket)
    Thread.detachNewThread { answer.give(client(tls)) }
    return answer
  }

  private static func shakeHands(_ stream: TLSStream, _ wakeup: Wakeup) async -> TLSFailure? {
    while true {
      switch stream.handshake() {
      case .done: return nil
      case .failed(let failure): return failure
      case .hello: continue
      case .wouldBlock: await wakeup.wait()
      }
    }
  }

  @Test("has nothing of what it did not take, and all of what it took, whatever is sent next")
  func takenIsTaken() throws {
    let (stream, socket) = try connection(try leaves.mint(for: "a.example"))
    let mayRead = Answer<Void>()
    let client = try start(socket) { client -> (bytes: [UInt8], isOrderly: Bool) in
      guard client.handshake() else { return ([], false) }
      // Until then the socket fills up, in the middle of a record.
      try? mayRead.take()
      return client.readToEnd()
    }
    let taken = try running.run { () -> (first: Int, second: Int) in
      let wakeup = Wakeup(on: running.loop)
      stream.observer = wakeup
      #expect(await Self.shakeHands(stream, wakeup) == nil)
      var first = 0
      let buffer = ByteBuffer(capacity: 64 * 1024)
      filling: while true {
        buffer.removeAll()
        buffer.append([UInt8](repeating: 1, count: 64 * 1024).span)
        switch stream.send(from: buffer) {
        case .transferred(let count): first += count
        default: break filling
        }
      }
      #expect(!stream.isWritable)
      // What comes next is something else, and shorter than what was refused.
      buffer.removeAll()
      buffer.append([UInt8](repeating: 2, count: 100).span)
      mayRead.give(())
      var second = 0
      while !buffer.isEmpty {
        guard case .transferred(let count) = stream.send(from: buffer) else {
          await wakeup.wait()
          continue
        }
        second += count
      }
      stream.finishSending()
      while !stream.peerClosed { await wakeup.wait() }
      stream.observer = nil
      stream.close()
      return (first, second)
    }
    let (bytes, isOrderly) = try client.take()
    #expect(taken.second == 100 && isOrderly)
    #expect(bytes == [UInt8](repeating: 1, count: taken.first) + [UInt8](repeating: 2, count: 100))
  }

  @Test("begins with the bytes that were read before")
  func early() throws {
    let (stream, socket) = try connection(
      try leaves.mint(for: "a.example"), early: Array("GET / HTTP/1.1\r\n\r\n".utf8))
    let failure = try running.run {
      let wakeup = Wakeup(on: running.loop)
      stream.observer = wakeup
      defer { stream.close() }
      return await Self.shakeHands(stream, wakeup)
    }
    _ = Glibc.close(socket)
    #expect(failure == .plainHTTP)
  }

  @Test("is readable while there is more, also where that came before the last of what was read earlier was taken")
  func announcedOnce() throws {
    let (stream, socket) = try connection(try leaves.mint(for: "a.example"))
    let hasBegun = Answer<Void>()
    let hasMore = Answer<Void>()
    let client = try start(socket) { client -> Bool in
      guard client.handshake() else { return false }
      client.send("0123456789")
      try? hasBegun.take()
      client.send("more")
      hasMore.give(())
      return true
    }
    let text = try running.run { () -> String in
      let wakeup = Wakeup(on: running.loop)
      stream.observer = wakeup
      defer { stream.close() }
      #expect(await Self.shakeHands(stream, wakeup) == nil)
      let buffer = ByteBuffer(capacity: 1024)
      while buffer.isEmpty {
        if case .wouldBlock = stream.receive(into: buffer, limit: 5) { await wakeup.wait() }
      }
      hasBegun.give(())
      try hasMore.take()
      // The kernel announces the second record now, and never again.
      await wakeup.wait()
      _ = stream.receive(into: buffer, limit: 5)
      #expect(stream.isReadable)
      _ = stream.receive(into: buffer)
      stream.observer = nil
      var bytes: [UInt8] = []
      for index in 0..<buffer.count { bytes.append(buffer.readableBytes[index]) }
      return String(decoding: bytes, as: UTF8.self)
    }
    #expect(try client.take())
    #expect(text == "0123456789more")
  }

  @Test("is readable while the session may hold something, whether the kernel has announced that or not")
  func neverAnnounced() throws {
    let (stream, socket) = try connection(try leaves.mint(for: "a.example"))
    let client = try start(socket) { client -> Bool in
      guard client.handshake() else { return false }
      client.send("0123456789")
      return true
    }
    try running.run {
      let wakeup = Wakeup(on: running.loop)
      stream.observer = wakeup
      defer { stream.close() }
      // As if each attempt came before the announcement of what it finds.
      shaking: while true {
        stream.isReadable = false
        switch stream.handshake() {
        case .done: break shaking
        case .failed(let failure): throw failure
        case .hello: continue
        case .wouldBlock: await wakeup.wait()
        }
      }
      #expect(stream.isReadable)
      let buffer = ByteBuffer(capacity: 1024)
      while buffer.isEmpty {
        stream.isReadable = false
        if case .wouldBlock = stream.receive(into: buffer, limit: 5) { await wakeup.wait() }
      }
      #expect(stream.isReadable)
      stream.observer = nil
    }
    #expect(try client.take())
  }

  @Test("works in both directions, and knows its end")
  func echo() throws {
    let (stream, socket) = try connection(try leaves.mint(for: "a.example"))
    let client = try start(socket) { client -> String in
      guard client.handshake() else { return "no handshake" }
      client.send("hello")
      return client.read()
    }
    let isReadable = try running.run { () -> Bool in
      let wakeup = Wakeup(on: running.loop)
      stream.observer = wakeup
      #expect(await Self.shakeHands(stream, wakeup) == nil)
      let buffer = ByteBuffer(capacity: 1024)
      while buffer.isEmpty {
        if case .wouldBlock = stream.receive(into: buffer) { await wakeup.wait() }
      }
      let isReadable = stream.isReadable && !stream.peerClosed
      #expect(stream.hasUnexpectedInput() == false || stream.peerClosed)
      _ = stream.send(from: buffer)
      stream.observer = nil
      return isReadable
    }
    #expect(try client.take() == "hello")
    #expect(!isReadable)
    try running.run { stream.close() }
  }
}
