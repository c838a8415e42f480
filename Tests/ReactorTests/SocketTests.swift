import Bytes
import LoopbackTesting
import Reactor
import SystemPackage
import Testing

@Suite struct SocketTests {
  private let running: RunningLoop
  private var loop: EventLoop { running.loop }

  init() throws {
    running = try RunningLoop()
  }

  /// A raw client, and the stream that the loop has of its connection.
  private func connection() throws -> (client: RawSocket, stream: ByteStream) {
    let loop = loop
    let arrived = Answer<ByteStream>()
    let listener = try running.run { () -> Listener in
      let listener = try Listener(host: "127.0.0.1", port: 0, sharesPort: false, on: loop) { socket, _ in
        guard let stream = try? SocketStream(socket, on: loop) else { return }
        arrived.give(stream)
      }
      try listener.start()
      return listener
    }
    let client = try RawSocket(port: listener.port)
    let stream = try arrived.take()
    try running.run { listener.close() }
    return (client, stream)
  }

  /// Reads until there are `count` bytes or the end, waiting where nothing is there.
  private func receive(_ count: Int, _ stream: ByteStream) async -> (bytes: String, end: IOResult?) {
    let wakeup = Wakeup(on: loop)
    stream.observer = wakeup
    defer { stream.observer = nil }
    let buffer = ByteBuffer(capacity: 64)
    var bytes: [UInt8] = []
    while bytes.count < count {
      guard stream.isReadable else {
        await wakeup.wait()
        continue
      }
      switch stream.receive(into: buffer, limit: count - bytes.count) {
      case .transferred:
        for index in 0..<buffer.count { bytes.append(buffer.readableBytes[index]) }
        buffer.removeAll()
      case .wouldBlock: continue
      case let end: return (String(decoding: bytes, as: UTF8.self), end)
      }
    }
    return (String(decoding: bytes, as: UTF8.self), nil)
  }

  @Test("bytes arrive as they were sent, however little is read at a time")
  func shortReads() throws {
    let (client, stream) = try connection()
    client.send("hello, world")
    let pieces = try running.run {
      var pieces: [String] = []
      for count in [1, 4, 7] { pieces.append(await self.receive(count, stream).bytes) }
      stream.close()
      return pieces
    }
    #expect(pieces == ["h", "ello", ", world"])
  }

  @Test("a stream that was read empty says so, and is readable again when more comes")
  func edges() throws {
    let (client, stream) = try connection()
    for round in 0..<50 {
      client.send("\(round % 10)")
      let (bytes, isReadable) = try running.run {
        let bytes = await self.receive(1, stream).bytes
        // One byte was asked for and came: only an attempt shows that there is no other.
        _ = stream.receive(into: ByteBuffer(capacity: 8))
        return (bytes, stream.isReadable)
      }
      #expect(bytes == "\(round % 10)")
      #expect(!isReadable)
    }
    try running.run { stream.close() }
  }

  @Test("the end of the stream comes after the bytes before it")
  func peerCloses() throws {
    let (client, stream) = try connection()
    client.send("last words")
    client.finishSending()
    let (bytes, end, peerClosed) = try running.run {
      let (bytes, end) = await self.receive(100, stream)
      defer { stream.close() }
      return (bytes, end, stream.peerClosed)
    }
    #expect(bytes == "last words")
    guard case .endOfStream? = end else { return #expect(Bool(false), "the end was \(String(describing: end))") }
    #expect(peerClosed)
  }

  @Test("a reset is a failure, not an end")
  func peerResets() throws {
    let (client, stream) = try connection()
    client.abort()
    let (end, hasFailed) = try running.run {
      let end = await self.receive(1, stream).end
      defer { stream.close() }
      return (end, stream.hasFailed)
    }
    guard case .failed(.system(.connectionReset))? = end else {
      return #expect(Bool(false), "the end was \(String(describing: end))")
    }
    #expect(hasFailed)
  }

  @Test("what the peer does not take is not lost: sending stops, and goes on when there is room")
  func fullSocket() throws {
    let (client, stream) = try connection()
    let amount = 32 << 20
    let sending = Answer<Int>()
    running.start {
      let wakeup = Wakeup(on: loop)
      stream.observer = wakeup
      defer { stream.observer = nil }
      let buffer = ByteBuffer(capacity: 1 << 16)
      var (sent, stops) = (0, 0)
      while sent < amount {
        if buffer.isEmpty { buffer.appendZeros(min(buffer.freeSpace, amount - sent)) }
        if case .transferred(let count) = stream.send(from: buffer) {
          sent += count
          continue
        }
        stops += 1
        if stops == 1 { sending.give(sent) }
        while !stream.isWritable { await wakeup.wait() }
      }
      stream.finishSending()
    }
    #expect(try sending.take() < amount)
    #expect(try client.readToEnd().text.utf8.count == amount)
    try running.run { stream.close() }
  }

  @Test("aborting resets the connection, closing ends it in order")
  func endings() throws {
    let (resetClient, aborted) = try connection()
    try running.run { aborted.abort() }
    #expect(try resetClient.readToEnd().end == .reset)

    let (closedClient, closed) = try connection()
    try running.run {
      closed.close()
      closed.close()
    }
    #expect(try closedClient.readToEnd().end == .closed)
  }

  @Test("unexpected input is noticed, and the check does not consume it")
  func unexpectedInput() throws {
    let (client, stream) = try connection()
    let isThereAtFirst = try running.run { stream.hasUnexpectedInput() }
    #expect(!isThereAtFirst)
    client.send("x")
    let (isThere, bytes) = try running.run {
      while !stream.isReadable { await self.loop.yield() }
      return (stream.hasUnexpectedInput(), await self.receive(1, stream).bytes)
    }
    #expect(isThere)
    #expect(bytes == "x")
    client.close()
    let isOver = try running.run {
      while !stream.peerClosed { await self.loop.yield() }
      defer { stream.close() }
      return stream.hasUnexpectedInput()
    }
    #expect(isOver)
  }

  @Test("a paused listener accepts nothing, and what came meanwhile when it goes on")
  func pausing() throws {
    let loop = loop
    nonisolated(unsafe) var accepted = 0
    let both = Answer<Int>()
    let listener = try running.run { () -> Listener in
      let listener = try Listener(host: "127.0.0.1", port: 0, sharesPort: false, on: loop) { socket, peer in
        unsafe accepted += "\(peer)".hasPrefix("127.0.0.1:") ? 1 : 100
        if unsafe accepted == 2 { both.give(2) }
        _ = consume socket
      }
      try listener.start()
      listener.pause()
      return listener
    }
    let clients = try (0..<2).map { _ in try RawSocket(port: listener.port) }
    let meanwhile = try running.run {
      for _ in 0..<3 { await loop.yield() }
      return unsafe accepted
    }
    #expect(meanwhile == 0)
    try running.run { listener.resume() }
    #expect(try both.take() == 2)
    for client in clients { #expect(try client.readToEnd().end == .closed) }
    try running.run { listener.close() }
  }

  @Test("a closed listener frees its port; an address in use, or no address at all, is an error")
  func binding() throws {
    let loop = loop
    func bind(_ host: String, _ port: UInt16) throws(Errno) -> Listener {
      try Listener(host: host, port: port, sharesPort: false, on: loop) { _, _ in }
    }
    let (first, taken, notNumeric, again) = try running.run { () -> (UInt16, Errno?, Errno?, UInt16) in
      func failure(_ host: String, _ port: UInt16) -> Errno? {
        do throws(Errno) { try bind(host, port).close() } catch { return error }
        return nil
      }
      let first = try bind("127.0.0.1", 0)
      let (taken, notNumeric) = (failure("127.0.0.1", first.port), failure("localhost", 0))
      first.close()
      let second = try bind("127.0.0.1", first.port)
      defer { second.close() }
      return (first.port, taken, notNumeric, second.port)
    }
    #expect(taken == .addressInUse)
    #expect(notNumeric == .invalidArgument)
    #expect(first == again)
  }

  @Test("an address that others share is not available, an unused one is")
  func availability() throws {
    let loop = loop
    let (shared, free) = try running.run { () -> (Errno?, Errno?) in
      func check(_ port: UInt16) -> Errno? {
        do throws(Errno) { try Listener.checkAvailability(host: "127.0.0.1", port: port) } catch { return error }
        return nil
      }
      let listener = try Listener(host: "127.0.0.1", port: 0, sharesPort: true, on: loop) { _, _ in }
      let shared = check(listener.port)
      listener.close()
      return (shared, check(listener.port))
    }
    #expect(shared == .addressInUse)
    #expect(free == nil)
  }

  @Test("IPv6 addresses are written in brackets")
  func addresses() throws {
    let loop = loop
    let text = try running.run { () -> (String, UInt16)? in
      guard let listener = try? Listener(host: "::1", port: 0, sharesPort: false, on: loop, accepted: { _, _ in })
      else { return nil }
      defer { listener.close() }
      return (listener.address, listener.port)
    }
    // Not every machine has IPv6.
    guard let (address, port) = text else { return }
    #expect(address == "[::1]:\(port)")
  }
}
