import Bytes
import Deliveries
import HTTPWire
import Testing

@Suite("Writing chunks") struct ChunkedEncoderTests {
  @Test("payload becomes one chunk, nothing becomes none")
  func payload() {
    let output = ByteBuffer(capacity: 100)
    #expect(ChunkedEncoder.append(bytes("hello, world!!!!").span, to: output) == 16)
    #expect(ChunkedEncoder.append([UInt8]().span, to: output) == 0)
    #expect(ChunkedEncoder.finish(to: output))
    #expect(text(of: output) == "10\r\nhello, world!!!!\r\n0\r\n\r\n")
  }

  @Test("what there is no room for is left")
  func room() {
    let output = ByteBuffer(capacity: ChunkedEncoder.maximumOverhead + 3)
    #expect(ChunkedEncoder.append(bytes("hello").span, to: output) == 3)
    #expect(text(of: output) == "3\r\nhel\r\n")
    #expect(ChunkedEncoder.append(bytes("lo").span, to: output) == 0)
    output.append(bytes("01234567890").span)
    #expect(!ChunkedEncoder.finish(to: output))
    #expect(text(of: output) == "3\r\nhel\r\n01234567890")
  }

  @Test("thousands of tiny chunks become one")
  func gathered() throws {
    let body = bytes(String(repeating: "1\r\na\r\n", count: 3000) + "0\r\n\r\n" + "next")
    let output = ByteBuffer(capacity: 65_536)
    var decoder = BodyDecoder(.chunked)
    #expect(try ChunkedEncoder.append(from: &decoder, body.span, to: output) == body.count - 4)
    #expect(decoder.isFinished)
    #expect(text(of: output) == "0bb8\r\n" + String(repeating: "a", count: 3000) + "\r\n")
  }

  @Test("a chunk of the usual kind keeps its size without zeros before it")
  func plain() throws {
    let body = bytes("400\r\n" + String(repeating: "x", count: 1024) + "\r\n0\r\n\r\n")
    let output = ByteBuffer(capacity: 4096)
    var decoder = BodyDecoder(.chunked)
    #expect(try ChunkedEncoder.append(from: &decoder, body.span, to: output) == body.count)
    #expect(text(of: output) == "400\r\n" + String(repeating: "x", count: 1024) + "\r\n")
  }

  @Test("what is gathered into a small buffer, call after call, decodes to the same payload", arguments: 21...60)
  func smallOutput(capacity: Int) throws {
    let payload = String((0..<300).map { "abcdefghijklm"[String.Index(utf16Offset: $0 % 13, in: "abcdefghijklm")] })
    var body = bytes(chunked(payload, sizes: [1, 7, 30, 2, 100]))
    let expected = decode(body, as: .chunked, at: [body.count])
    var decoder = BodyDecoder(.chunked)
    var sent: [UInt8] = []
    while !decoder.isFinished {
      let output = ByteBuffer(capacity: capacity)
      let consumed = try ChunkedEncoder.append(from: &decoder, body.span, to: output)
      try #require(consumed > 0)
      body.removeFirst(consumed)
      sent += bytes(text(of: output))
    }
    sent += bytes("0\r\n\r\n")
    guard case .complete(let summary) = decode(sent, as: .chunked, at: [sent.count]),
      case .complete(let before) = expected
    else {
      Issue.record("the body does not decode")
      return
    }
    #expect(summary.payload == payload)
    #expect(before.payload == payload)
    #expect(summary.isFinished)
  }

  @Test("a body of a length is gathered as it is")
  func gatheredPlainly() throws {
    var decoder = BodyDecoder(.length(5))
    let output = ByteBuffer(capacity: 3)
    #expect(try decoder.gather(bytes("helloGET").span, into: output) == 3)
    #expect(text(of: output) == "hel")
    output.removeAll()
    #expect(try decoder.gather(bytes("loGET").span, into: output) == 2)
    #expect(text(of: output) == "lo")
    #expect(decoder.isFinished)
  }

  @Test("a body that turns out malformed leaves nothing behind of the chunk that was begun")
  func malformed() {
    var decoder = BodyDecoder(.chunked)
    let output = ByteBuffer(capacity: 100)
    output.append("before" as StaticString)
    #expect(throws: WireError.chunkNotTerminated) {
      try ChunkedEncoder.append(from: &decoder, bytes("1\r\nabc").span, to: output)
    }
    #expect(text(of: output) == "before")
  }

  @Test("trailers that may be forwarded are, the others are not")
  func trailers() throws {
    var decoder = BodyDecoder(.chunked)
    let output = ByteBuffer(capacity: 100)
    let body = bytes("0\r\nX-Sum:1 \r\nHost: evil\r\nY:\t\r\n\r\n")
    #expect(try decoder.gather(body.span, into: output) == body.count)
    #expect(output.isEmpty)
    let small = ByteBuffer(capacity: 20)
    #expect(!ChunkedEncoder.finish(trailersOf: decoder, to: small))
    #expect(small.isEmpty)
    #expect(ChunkedEncoder.finish(trailersOf: decoder, to: output))
    #expect(text(of: output) == "0\r\nX-Sum: 1\r\nY: \r\n\r\n")
  }

  @Test("ending with trailers fits the room that was checked for, to the byte")
  func trailersExactly() throws {
    var decoder = BodyDecoder(.chunked)
    let body = bytes("0\r\nA:1\r\nB:2\r\n\r\n")
    _ = try decoder.gather(body.span, into: ByteBuffer(capacity: 20))
    let needed = "0\r\nA: 1\r\nB: 2\r\n\r\n".utf8.count
    for capacity in 0..<60 {
      let output = ByteBuffer(capacity: capacity)
      #expect(ChunkedEncoder.finish(trailersOf: decoder, to: output) == (capacity >= needed))
      #expect(output.count == (capacity >= needed ? needed : 0))
    }
  }
}

/// `payload` in chunks of these sizes, again and again, with the chunk that ends it.
func chunked(_ payload: String, sizes: [Int]) -> String {
  var rest = payload[...]
  var body = ""
  var index = 0
  while !rest.isEmpty {
    let chunk = rest.prefix(sizes[index % sizes.count])
    body += "\(String(chunk.count, radix: 16))\r\n\(chunk)\r\n"
    rest = rest.dropFirst(chunk.count)
    index += 1
  }
  return body + "0\r\n\r\n"
}

/// The readable bytes of `buffer`.
func text(of buffer: ByteBuffer) -> String {
  let span = buffer.readableBytes
  return text(span.indices.map { span[$0] })
}
