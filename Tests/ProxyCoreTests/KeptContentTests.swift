import Bytes
import HTTPWire
import Reactor
import Testing

@testable import ProxyCore

@Suite("Kept content") struct KeptContentTests {
  private let pool = BufferPool(bufferCapacity: 64, keeping: 8)

  private func kept(_ text: String, limit: Int, piece: Int = 3) -> KeptContent {
    var kept = KeptContent(pool, limit: limit)
    let bytes = Array(text.utf8)
    for start in stride(from: 0, to: bytes.count, by: piece) {
      kept.keep(bytes.span.extracting(start..<min(bytes.count, start + piece)))
    }
    return kept
  }

  @Test("is all that was received, up to its limit")
  func whole() {
    var kept = kept("0123456789", limit: 10)
    #expect(kept.isWhole && kept.count == 10)
    let buffer = ByteBuffer(capacity: 64)
    kept.move(to: buffer)
    #expect(kept.count == 0 && kept.isWhole)
    #expect((0..<buffer.count).map { buffer.readableBytes[$0] } == Array("0123456789".utf8))
  }

  @Test("is nothing at all beyond its limit, and a pool's buffer is one", arguments: [9, 0])
  func tooMuch(limit: Int) {
    let tooMuch = kept("0123456789", limit: limit)
    #expect(!tooMuch.isWhole && tooMuch.count == 0)
    #expect(!kept(String(repeating: "x", count: 65), limit: 1000).isWhole)
    #expect(kept(String(repeating: "x", count: 64), limit: 1000).isWhole)
  }

  @Test("holds a buffer only while there is something in it")
  func borrowing() {
    // Whatever is given back is lent next.
    let only = pool.lend()
    pool.giveBack(only)
    var one = kept("0123", limit: 8)
    let other = pool.lend()
    #expect(other !== only)
    pool.giveBack(other)
    one.keep(Array("456789".utf8).span)
    #expect(pool.lend() === only)
    _ = kept("", limit: 8)
  }
}

@Suite("A relay that begins anew") struct RelayRewindTests {
  private let pool = BufferPool(bufferCapacity: 128, keeping: 8)

  /// Moves `received` through a sink of `window` bytes, begins again after `stop` steps, and moves all of it.
  private func twice(
    _ received: String, _ framing: BodyFraming, window: Int, stop: Int, piece: Int, limit: Int = 128
  ) throws -> (sent: String, rest: String)? {
    let (source, first, second) = (ScriptedStream(), ScriptedStream(), ScriptedStream())
    let bytes = Array(received.utf8)
    source.pieces = stride(from: 0, to: bytes.count, by: piece).map { Array(bytes[$0..<min(bytes.count, $0 + piece)]) }
    source.signal(.readable)
    let relay = BodyRelay(
      BodyDecoder(framing), input: pool.lend(), output: pool.lend(), framing: framing, passesTrailers: true,
      kept: KeptContent(pool, limit: limit))
    for _ in 0..<stop {
      first.window = window
      first.signal(.writable)
      _ = try relay.step(from: source, to: first)
    }
    guard relay.canRewind else { return nil }
    relay.rewind()
    #expect(relay.bytesSent == 0 && relay.output.isEmpty && relay.decoder.payloadBytes == 0)
    for _ in 0..<1000 where !relay.isFinished { _ = try relay.step(from: source, to: second) }
    #expect(relay.isFinished && relay.bytesSent == UInt64(second.sent.count))
    let input = relay.input
    let rest = (0..<input.count).map { input.readableBytes[$0] } + source.pieces.flatMap(\.self)
    return (String(decoding: second.sent, as: UTF8.self), String(decoding: rest, as: UTF8.self))
  }

  @Test("sends all of the content, wherever it was stopped, and leaves what follows", arguments: [1, 5, 200])
  func length(piece: Int) throws {
    for stop in 0...8 {
      for window in [0, 1, 7, 200] {
        let outcome = try twice("0123456789NEXT", .length(10), window: window, stop: stop, piece: piece)
        #expect(outcome?.sent == "0123456789" && outcome?.rest == "NEXT", "stopped after \(stop), window \(window)")
      }
    }
  }

  @Test("does so with chunks, whose framing is kept too", arguments: [1, 5, 200])
  func chunked(piece: Int) throws {
    for stop in 0...8 {
      for window in [0, 1, 7, 200] {
        let text = "3;x=y\r\nabc\r\n4\r\ndefg\r\n0\r\nT: u\r\n\r\nNEXT"
        let outcome = try #require(try twice(text, .chunked, window: window, stop: stop, piece: piece))
        let content = try #require(contentOfChunks(outcome.sent))
        #expect(content.content == "abcdefg" && content.trailers.contains("T: u"))
        #expect(outcome.rest == "NEXT")
      }
    }
  }

  @Test("is not possible when more came than is kept, or than one buffer holds")
  func tooMuch() throws {
    #expect(try twice("0123456789", .length(10), window: 200, stop: 1, piece: 200, limit: 9) == nil)
    #expect(try twice("0123456789", .length(10), window: 200, stop: 0, piece: 200, limit: 0) != nil)
  }

  @Test("is possible when its buffers have been given back meanwhile")
  func settled() throws {
    let (source, sink) = (ScriptedStream(), ScriptedStream())
    source.pieces = [Array("0123456789".utf8)]
    source.signal(.readable)
    let relay = BodyRelay(pool)
    relay.begin(
      .length(10), input: pool.lend(), output: pool.lend(), framing: .length(10), passesTrailers: true,
      kept: KeptContent(pool, limit: 10))
    relay.output.append("HEAD")
    relay.settle()
    #expect(relay.output.capacity > 0)
    while !relay.isFinished { _ = try relay.step(from: source, to: sink) }
    relay.settle()
    #expect(relay.input.capacity == 0 && relay.output.capacity == 0 && relay.isFinished && relay.canRewind)
    relay.rewind()
    relay.output.append("HEAD")
    while !relay.isFinished { _ = try relay.step(from: source, to: sink) }
    #expect(String(decoding: sink.sent, as: UTF8.self) == "HEAD0123456789HEAD0123456789")
  }

  @Test("needs nothing kept where there is no content")
  func without() throws {
    for framing in [BodyFraming.none, .length(0)] {
      let relay = BodyRelay(
        BodyDecoder(framing), input: pool.lend(), output: pool.lend(), framing: framing, passesTrailers: true)
      relay.output.append("HEAD")
      #expect(relay.canRewind)
      relay.rewind()
      #expect(relay.output.isEmpty)
    }
  }

  @Test("is not possible where content was not kept")
  func notKept() {
    let relay = BodyRelay(
      BodyDecoder(.length(5)), input: pool.lend(), output: pool.lend(), framing: .length(5), passesTrailers: true)
    #expect(!relay.canRewind)
  }
}
