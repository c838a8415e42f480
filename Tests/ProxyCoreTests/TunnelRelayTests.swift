import Bytes
import Reactor
import SystemPackage
import Testing

@testable import ProxyCore

@Suite struct TunnelRelayTests {
  private let client = ScriptedStream()
  private let upstream = ScriptedStream()
  private let pool = BufferPool(bufferCapacity: 64, keeping: 4)

  private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  private func step(_ relay: inout TunnelRelay) throws(TunnelRelay.Failure) -> BodyRelay.Progress {
    try relay.step(client: client, upstream: upstream, pool)
  }

  /// Steps until nothing moves any more, opening the windows of both sides by `window` bytes each time.
  private func run(_ relay: inout TunnelRelay, window: Int) throws(TunnelRelay.Failure) {
    var idleSteps = 0
    while !relay.isFinished, idleSteps < 2 {
      for stream in [client, upstream] {
        stream.window = window
        stream.signal(.writable)
      }
      idleSteps = try step(&relay).hasMoved ? 0 : idleSteps + 1
    }
  }

  @Test(
    "everything goes both ways, byte by byte or at once, what the client sent before first", arguments: [1, 7, 1000])
  func bothWays(window: Int) throws {
    let first = pool.lend()
    first.append("first ")
    var relay = TunnelRelay(fromClient: first)
    client.pieces = (0..<50).map { bytes("up \($0) ") }
    upstream.pieces = (0..<50).map { bytes("down \($0) ") }
    let (up, down) = (client.pieces.flatMap(\.self), upstream.pieces.flatMap(\.self))
    for stream in [client, upstream] {
      stream.isEnded = true
      stream.signal(.readable)
    }
    try run(&relay, window: window)
    #expect(relay.isFinished)
    #expect(upstream.sent == bytes("first ") + up && client.sent == down)
    #expect(relay.fromClient.bytesMoved == UInt64(up.count + 6) && relay.fromUpstream.bytesMoved == UInt64(down.count))
  }

  @Test("an end is passed on when all before it was, and the other direction goes on")
  func halfClose() throws {
    var relay = TunnelRelay(fromClient: nil)
    client.pieces = [bytes("question")]
    client.isEnded = true
    client.signal([.readable, .peerClosed])
    upstream.window = 3
    _ = try step(&relay)
    #expect(upstream.sent == bytes("que") && !upstream.isFinished)
    upstream.window = 100
    upstream.signal(.writable)
    _ = try step(&relay)
    #expect(upstream.sent == bytes("question") && upstream.isFinished && !client.isFinished && !relay.isFinished)
    upstream.pieces = [bytes("answer")]
    upstream.isEnded = true
    upstream.signal(.readable)
    _ = try step(&relay)
    #expect(client.sent == bytes("answer") && client.isFinished && relay.isFinished)
  }

  @Test("a side that takes nothing is not read for: one buffer is on the way at most")
  func backpressure() throws {
    var relay = TunnelRelay(fromClient: nil)
    upstream.pieces = Array(repeating: [UInt8](repeating: 1, count: 64), count: 100)
    upstream.signal(.readable)
    client.window = 0
    for _ in 0..<10 {
      client.signal(.writable)
      #expect(try !step(&relay).hasMore)
    }
    #expect(upstream.receptions == 1 && upstream.pieces.count == 99)
    relay.giveBack(to: pool)
  }

  @Test("one side does not hold up the other, and a flood lets others have their turn")
  func independence() throws {
    var relay = TunnelRelay(fromClient: nil)
    upstream.pieces = [[UInt8](repeating: 1, count: 64)]
    client.pieces = Array(repeating: [2], count: 20)
    for stream in [client, upstream] { stream.signal(.readable) }
    client.window = 0
    #expect(try step(&relay).hasMore)
    #expect((1..<20).contains(upstream.sent.count))
    _ = try step(&relay)
    _ = try step(&relay)
    #expect(upstream.sent.count == 20)
    relay.giveBack(to: pool)
  }

  /// Which side failed when `relay` was stepped until nothing moved; nil if none did.
  private func failure(_ relay: inout TunnelRelay) -> String? {
    do throws(TunnelRelay.Failure) {
      try run(&relay, window: 100)
      return nil
    } catch {
      switch error {
      case .client: return "client"
      case .upstream: return "upstream"
      }
    }
  }

  @Test("a reset of one side ends both, but what the upstream sent before goes on")
  func resets() {
    for isClient in [true, false] {
      let test = TunnelRelayTests()
      let (gone, other) = isClient ? (test.client, test.upstream) : (test.upstream, test.client)
      gone.pieces = [bytes("last words")]
      gone.failure = .system(.connectionReset)
      gone.signal([.readable, .hangUp, .error])
      // Data that would go there is not read.
      other.pieces = [bytes("unheard")]
      other.signal(.readable)
      gone.refuses = true
      var relay = TunnelRelay(fromClient: nil)
      #expect(test.failure(&relay) == (isClient ? "client" : "upstream"))
      #expect(isClient || other.sent == bytes("last words"))
      #expect(gone.sent.isEmpty)
    }
  }

  @Test("a reset is noticed although there is nothing to read from that side any more", arguments: [true, false])
  func lateReset(isClient: Bool) throws {
    let (gone, other) = isClient ? (client, upstream) : (upstream, client)
    var relay = TunnelRelay(fromClient: nil)
    gone.isEnded = true
    gone.signal([.readable, .peerClosed])
    _ = try step(&relay)
    #expect(other.isFinished)
    gone.signal([.hangUp, .error])
    #expect(failure(&relay) == (isClient ? "client" : "upstream"))
  }

  @Test("it is no failure if both sides close after each has seen the other's end")
  func hangUp() throws {
    var relay = TunnelRelay(fromClient: nil)
    client.isEnded = true
    client.signal([.readable, .peerClosed])
    _ = try step(&relay)
    upstream.pieces = [bytes("end")]
    upstream.isEnded = true
    // Its own end, after ours: the kernel calls that hanging up.
    upstream.signal([.readable, .peerClosed, .hangUp])
    _ = try step(&relay)
    #expect(relay.isFinished && client.sent == bytes("end"))
  }

  @Test("an end of TLS without close_notify is no end, but what came before it goes on", arguments: [true, false])
  func truncation(isClient: Bool) {
    let (gone, other) = isClient ? (client, upstream) : (upstream, client)
    gone.pieces = [bytes("last words")]
    gone.failure = .truncated
    gone.signal([.readable, .peerClosed])
    var relay = TunnelRelay(fromClient: nil)
    #expect(failure(&relay) == (isClient ? "client" : "upstream"))
    #expect(other.sent == bytes("last words") && !other.isFinished)
  }

  @Test(
    "a client that was told of the upstream's end may leave without close_notify, an upstream never",
    arguments: [true, false])
  func truncationAfterTheOtherEnd(isClient: Bool) throws {
    let (gone, other) = isClient ? (client, upstream) : (upstream, client)
    var relay = TunnelRelay(fromClient: nil)
    other.isEnded = true
    other.signal([.readable, .peerClosed])
    _ = try step(&relay)
    #expect(gone.isFinished)
    gone.failure = .truncated
    gone.signal([.readable, .peerClosed])
    #expect(failure(&relay) == (isClient ? nil : "upstream"))
    #expect(other.isFinished == isClient)
  }
}
