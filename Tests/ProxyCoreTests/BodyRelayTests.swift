import Bytes
import HTTPWire
import Reactor
import SystemPackage
import Testing

@testable import ProxyCore

@Suite struct BodyRelayTests {
  private static let content = "The quick brown fox jumps over the lazy dog"
  private static let chunked =
    "b\r\nThe quick b\r\n1;x=y\r\nr\r\n1f\r\nown fox jumps over the lazy dog\r\n0\r\nX-Sum: 7\r\n\r\n"
  private static let next = "GET /next HTTP/1.1\r\n"

  static let combinations: [(script: RelayScript, name: String)] = [
    (.init(received: content + next, framing: .length(43), outgoing: .length(43)), "length"),
    (.init(received: content + next, framing: .length(43), outgoing: .chunked), "length to chunks"),
    (.init(received: chunked + next, framing: .chunked, outgoing: .chunked), "chunks"),
    (.init(received: chunked + next, framing: .chunked, outgoing: .untilClose), "chunks to the end of the connection"),
    (.init(received: content, framing: .untilClose, outgoing: .untilClose, isEnded: true), "until the end"),
    (.init(received: content, framing: .untilClose, outgoing: .chunked, isEnded: true), "until the end, to chunks"),
  ]

  private func expectContent(_ script: RelayScript, _ comment: Comment) throws {
    let outcome = try script.run()
    #expect(outcome.sent.hasPrefix("HEAD"), comment)
    let sent = String(outcome.sent.dropFirst(4))
    if script.outgoing == .chunked {
      let decoded = try #require(contentOfChunks(sent), comment)
      #expect(decoded.content == Self.content, comment)
      #expect(decoded.trailers == (script.framing == .chunked ? "X-Sum: 7\r\n\r\n" : "\r\n"), comment)
    } else {
      #expect(sent == Self.content, comment)
    }
    #expect(outcome.rest == (script.isEnded ? "" : Self.next), comment)
    #expect(outcome.payloadBytes == 43, comment)
  }

  @Test("content arrives whole however it is cut, and what follows it is left alone", arguments: combinations.indices)
  func pieces(_ index: Int) throws {
    for piece in 1...(Self.chunked + Self.next).utf8.count {
      var (script, name) = Self.combinations[index]
      script.piece = piece
      try expectContent(script, "\(name), \(piece) bytes at a time")
    }
  }

  @Test("content arrives whole wherever the sink stops taking it", arguments: combinations.indices)
  func windows(_ index: Int) throws {
    for window in 1...80 {
      for piece in [1, 7, Int.max] {
        var (script, name) = Self.combinations[index]
        (script.window, script.piece) = (window, piece)
        try expectContent(script, "\(name), \(piece) bytes at a time, stopping after \(window)")
      }
    }
  }

  @Test("content arrives whole in buffers that are given back before each wait", arguments: combinations.indices)
  func economy(_ index: Int) throws {
    for capacity in [256, 4096] {
      for window in [1, 2, 7, 31, Int.max] {
        for piece in [1, 3, 16, Int.max] {
          var (script, name) = Self.combinations[index]
          (script.capacity, script.window, script.piece, script.economizes) = (capacity, window, piece, true)
          try expectContent(script, "\(name), \(piece) bytes at a time, stopping after \(window)")
        }
      }
    }
  }

  @Test("buffers smaller than the content do", arguments: combinations.indices)
  func smallBuffers(_ index: Int) throws {
    for capacity in 40...64 {
      var (script, name) = Self.combinations[index]
      (script.capacity, script.window) = (capacity, 11)
      try expectContent(script, "\(name), buffers of \(capacity)")
    }
  }

  @Test("no content is no content, in every framing")
  func empty() throws {
    for (framing, outgoing, received, expected) in [
      (BodyFraming.none, BodyFraming.none, "", ""), (.length(0), .length(0), "", ""),
      (.chunked, .chunked, "0\r\n\r\n", "0\r\n\r\n"), (.chunked, .untilClose, "0\r\n\r\n", ""),
      (.untilClose, .chunked, "", "0\r\n\r\n"),
    ] {
      let script = RelayScript(
        received: received, framing: framing, outgoing: outgoing, isEnded: framing == .untilClose)
      #expect(try script.run() == RelayScript.Outcome(sent: "HEAD" + expected, rest: "", payloadBytes: 0))
    }
  }

  @Test("content that ends too early is a failure of the source at every byte but the last")
  func truncation() throws {
    for (script, name) in Self.combinations where !script.isEnded {
      let whole = script.received.utf8.count - Self.next.utf8.count
      for length in 0..<whole {
        var cut = script
        cut.received = String(decoding: script.received.utf8.prefix(length), as: UTF8.self)
        cut.isEnded = true
        do {
          let outcome = try cut.run()
          #expect(Bool(false), "\(name) cut after \(length) of \(whole) bytes became \(outcome)")
        } catch {
          guard case .source = error else { return #expect(Bool(false), "\(name), \(length): \(error)") }
        }
      }
    }
  }

  @Test("wrong framing is an error, and nothing behind it is passed on")
  func wrongFraming() throws {
    let (source, sink) = (ScriptedStream(), ScriptedStream())
    source.pieces = [Array("3\r\nabc\r\nzz\r\nsecret".utf8)]
    source.signal(.readable)
    let relay = BodyRelay(
      BodyDecoder(.chunked), input: ByteBuffer(capacity: 256), output: ByteBuffer(capacity: 256), framing: .chunked,
      passesTrailers: true)
    do {
      _ = try relay.step(from: source, to: sink)
      #expect(Bool(false), "the framing is wrong")
    } catch {
      guard case .framing = error else { return #expect(Bool(false), "\(error)") }
    }
    #expect(!relay.isFinished)
    #expect(!String(decoding: sink.sent, as: UTF8.self).contains("secret"))
  }

  @Test("a failing source and a failing sink are distinguished")
  func failures() throws {
    func failure(_ change: (ScriptedStream, ScriptedStream) -> Void) -> BodyRelay.Failure? {
      let (source, sink) = (ScriptedStream(), ScriptedStream())
      source.pieces = [Array("abc".utf8)]
      change(source, sink)
      source.signal(.readable)
      let relay = BodyRelay(
        BodyDecoder(.length(10)), input: ByteBuffer(capacity: 256), output: ByteBuffer(capacity: 256),
        framing: .length(10), passesTrailers: true)
      do { _ = try relay.step(from: source, to: sink) } catch { return error }
      return nil
    }
    #expect(failure { _, _ in } == nil)
    guard case .source? = failure({ source, _ in source.failure = .system(.connectionReset) }) else {
      return #expect(Bool(false), "the source failed")
    }
    guard case .sink? = failure({ _, sink in sink.refuses = true }) else {
      return #expect(Bool(false), "the sink failed")
    }
  }

  @Test("nothing is read from the source while the sink takes nothing")
  func backpressure() throws {
    let (source, sink) = (ScriptedStream(), ScriptedStream())
    source.pieces = Array(repeating: Array(repeating: UInt8(ascii: "x"), count: 100), count: 100)
    source.signal(.readable)
    sink.window = 0
    let relay = BodyRelay(
      BodyDecoder(.length(10_000)), input: ByteBuffer(capacity: 256), output: ByteBuffer(capacity: 256),
      framing: .length(10_000), passesTrailers: true)
    for _ in 0..<10 { _ = try relay.step(from: source, to: sink) }
    #expect(source.receptions == 1)
    #expect(relay.waitsForSink)
    sink.window = .max
    sink.signal(.writable)
    while !relay.isFinished { _ = try relay.step(from: source, to: sink) }
    #expect(sink.sent.count == 10_000)
  }

  @Test("a source that always has more is left after a while, so that others have their turn")
  func turns() throws {
    let (source, sink) = (ScriptedStream(), ScriptedStream())
    source.pieces = Array(repeating: Array(repeating: UInt8(ascii: "x"), count: 100), count: 1_000)
    source.signal(.readable)
    let relay = BodyRelay(
      BodyDecoder(.length(100_000)), input: ByteBuffer(capacity: 256), output: ByteBuffer(capacity: 256),
      framing: .length(100_000), passesTrailers: true)
    let progress = try relay.step(from: source, to: sink)
    #expect(progress.hasMore)
    #expect(source.receptions < 20)
  }

  @Test("many tiny chunks that arrive together leave together")
  func coalescing() throws {
    let received = String(repeating: "1\r\na\r\n", count: 30) + "0\r\n\r\n"
    let outcome = try RelayScript(received: received, framing: .chunked, outgoing: .chunked).run()
    let decoded = try #require(contentOfChunks(String(outcome.sent.dropFirst(4))))
    #expect(decoded.content == String(repeating: "a", count: 30))
    #expect(decoded.chunks == 1)
  }

  @Test("trailers stay behind where they may not be passed on")
  func trailers() throws {
    let script = RelayScript(received: Self.chunked, framing: .chunked, outgoing: .chunked, passesTrailers: false)
    let decoded = try #require(contentOfChunks(String(try script.run().sent.dropFirst(4))))
    #expect(decoded.trailers == "\r\n")
  }

  @Test(
    "content that the sink did not take is not left where the next message is looked for", arguments: [0, 1, 9_999])
  func abandonment(taken: Int) throws {
    let (source, sink) = (ScriptedStream(), ScriptedStream())
    source.pieces = [Array((String(repeating: "x", count: 20_000) + Self.next).utf8)]
    source.signal(.readable)
    sink.window = 4 + taken
    let (input, output) = (ByteBuffer(capacity: 65_536), ByteBuffer(capacity: 16_000))
    output.append("HEAD")
    let relay = BodyRelay(
      BodyDecoder(.length(20_000)), input: input, output: output, framing: .length(20_000), passesTrailers: true)
    while sink.isWritable { _ = try relay.step(from: source, to: sink) }
    #expect(relay.decoder.isFinished)
    #expect(!relay.isFinished)
    relay.abandon()
    let rest = (0..<input.count).map { input.readableBytes[$0] }
    #expect(String(decoding: rest, as: UTF8.self) == Self.next)
    #expect(output.isEmpty)
  }
}
