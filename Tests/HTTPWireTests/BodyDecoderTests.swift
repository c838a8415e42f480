import Bytes
import Deliveries
import HTTPWire
import Testing

/// What a decoder made of a body, by value.
struct BodySummary: Equatable, Sendable {
  var payload = ""
  var consumed = 0
  var isFinished = false
  var trailers: [String] = []
  var dropped = 0
}

/// Decodes `body` as it arrives: first the bytes up to one offset, then those up to the next.
func decode(
  _ body: [UInt8], as framing: BodyFraming, at offsets: [Int], limits: BodyLimits = BodyLimits()
) -> Outcome<BodySummary> {
  var decoder = BodyDecoder(framing, limits: limits)
  var summary = BodySummary()
  do throws(WireError) {
    var arrived = 0
    for offset in offsets {
      var rest = Array(body[arrived..<offset])
      arrived = offset
      delivery: while true {
        let (consumed, event) = try decoder.step(rest.span)
        summary.consumed += consumed
        switch event {
        case .payload(let range):
          guard range.upperBound == consumed, !range.isEmpty else { return .incomplete }
          summary.payload += text(rest[range])
        case .needMore:
          guard consumed == rest.count else { return .incomplete }
          break delivery
        case .finished: break delivery
        }
        rest.removeFirst(consumed)
      }
      if decoder.isFinished { break }
    }
  } catch {
    return .refused(error)
  }
  guard UInt64(summary.payload.unicodeScalars.count) == decoder.payloadBytes else { return .incomplete }
  summary.isFinished = decoder.isFinished
  summary.trailers = decoder.trailers.map {
    "\(text(decoder.trailerBytes, $0.name))=\(text(decoder.trailerBytes, $0.value))"
  }
  summary.dropped = decoder.droppedTrailers
  return .complete(summary)
}

func decode(_ body: String, as framing: BodyFraming, limits: BodyLimits = BodyLimits()) -> Outcome<BodySummary> {
  let body = bytes(body)
  return decode(body, as: framing, at: [body.count], limits: limits)
}

@Suite("Bodies") struct BodyDecoderTests {
  @Test("a body of a given length ends there, and leaves what follows")
  func length() {
    let expected = BodySummary(payload: "12345", consumed: 5, isFinished: true)
    #expect(decode("12345GET /", as: .length(5)) == .complete(expected))
    #expect(decode("1234", as: .length(5)) == .complete(BodySummary(payload: "1234", consumed: 4, isFinished: false)))
    #expect(decode("GET /", as: .length(0)) == .complete(BodySummary(isFinished: true)))
    #expect(decode("GET /", as: .none) == .complete(BodySummary(isFinished: true)))
  }

  @Test("a body until the end of the connection ends there alone")
  func untilClose() throws {
    #expect(decode("abc", as: .untilClose) == .complete(BodySummary(payload: "abc", consumed: 3, isFinished: false)))
    var decoder = BodyDecoder(.untilClose)
    #expect(!decoder.isFinished)
    try decoder.atEndOfInput()
    #expect(decoder.isFinished)
  }

  @Test("a body that is cut off is not complete", arguments: [BodyFraming.length(2), .chunked])
  func truncated(framing: BodyFraming) throws {
    var decoder = BodyDecoder(framing)
    _ = try decoder.step([0x31].span)
    #expect(throws: WireError.truncatedBody) { try decoder.atEndOfInput() }
    var empty = BodyDecoder(.none)
    try empty.atEndOfInput()
  }

  @Test(
    "chunks",
    arguments: [
      ("0\r\n\r\n", ""), ("5\r\nhello\r\n0\r\n\r\n", "hello"), ("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc"),
      ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"), ("a\r\n0123456789\r\n00\r\n\r\n", "0123456789"),
      ("000000000000000a\r\n0123456789\r\n0000000000000000\r\n\r\n", "0123456789"),
      ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"), ("5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n"),
      ("1;a\r\nx\r\n0\r\n\r\n", "x"), ("1;a=b\r\nx\r\n0;c\r\n\r\n", "x"), ("1;a=b;c;d=e\r\nx\r\n0\r\n\r\n", "x"),
      ("1;a=\"b\"\r\nx\r\n0\r\n\r\n", "x"), ("1;a=\"b;\\\"\\\\ \u{e9}\t\";c\r\nx\r\n0\r\n\r\n", "x"),
      ("1;a=\"\"\r\nx\r\n0\r\n\r\n", "x"), ("1 ;a\r\nx\r\n0\r\n\r\n", "x"),
      ("1\t ; \ta = \"b\" ; c\t=d\r\nx\r\n0\r\n\r\n", "x"),
    ] as [(String, String)])
  func chunks(body: String, payload: String) {
    let count = body.unicodeScalars.count
    let expected = BodySummary(payload: payload, consumed: count, isFinished: true)
    #expect(decode(body + "GET / HTTP/1.1\r\n", as: .chunked) == .complete(expected))
  }

  @Test(
    "chunks that are refused",
    arguments: [
      ("\r\n", .malformedChunkSize), ("x\r\n", .malformedChunkSize), (" 5\r\nhello", .malformedChunkSize),
      ("\t5\r\nhello", .malformedChunkSize), ("+5\r\nhello", .malformedChunkSize), ("-5\r\nhello", .malformedChunkSize),
      ("0x5\r\nhello", .malformedChunkSize), ("5h\r\nhello", .malformedChunkSize), ("5,\r\nhello", .malformedChunkSize),
      ("5_0\r\nhello", .malformedChunkSize), ("5.\r\nhello", .malformedChunkSize), ("\u{00}5\r\n", .malformedChunkSize),
      ("5\u{00}\r\n", .malformedChunkSize), ("\u{b2}\r\n", .malformedChunkSize), (";a\r\n", .malformedChunkSize),
      ("G\r\n", .malformedChunkSize), ("5\u{0b}\r\n", .malformedChunkSize), ("\n", .malformedChunkSize),
      ("5\nhello\r\n0\r\n\r\n", .bareLineFeed), ("0\n\r\n", .bareLineFeed), ("5\rhello", .bareCarriageReturn),
      ("5\r\rhello", .bareCarriageReturn), ("8000000000000000\r\n", .chunkSizeTooLarge),
      ("FFFFFFFFFFFFFFFF\r\n", .chunkSizeTooLarge), ("10000000000000005\r\nhello", .chunkSizeTooLarge),
      ("00000000000000005\r\nhello", .chunkSizeTooLarge), ("FFFFFFFFFFFFFFFB\r\n", .chunkSizeTooLarge),
      ("5 \r\nhello", .malformedChunkExtension), ("5\t\r\nhello", .malformedChunkExtension),
      ("5 5\r\nhello", .malformedChunkExtension), ("5;\r\nhello", .malformedChunkExtension),
      ("5; \r\nhello", .malformedChunkExtension), ("5;;\r\nhello", .malformedChunkExtension),
      ("5;a;\r\nhello", .malformedChunkExtension), ("5;a=\r\nhello", .malformedChunkExtension),
      ("5;a= \r\nhello", .malformedChunkExtension), ("5;=b\r\nhello", .malformedChunkExtension),
      ("5;a b\r\nhello", .malformedChunkExtension), ("5;a \r\nhello", .malformedChunkExtension),
      ("5;a=b \r\nhello", .malformedChunkExtension), ("5;a=b c\r\nhello", .malformedChunkExtension),
      ("5;a=b=c\r\nhello", .malformedChunkExtension), ("5;a=\"b\r\nhello", .malformedChunkExtension),
      ("5;a=\"b\"c\r\nhello", .malformedChunkExtension), ("5;a=\"\\\r\nhello", .malformedChunkExtension),
      ("5;a=\"\u{00}\"\r\n", .malformedChunkExtension), ("5;a=\"\u{7f}\"\r\n", .malformedChunkExtension),
      ("5;\u{e9}\r\nhello", .malformedChunkExtension), ("5;a\u{00}\r\nhello", .malformedChunkExtension),
      ("5;a,b\r\nhello", .malformedChunkExtension), ("5;a\nhello", .bareLineFeed), ("5;\nhello", .bareLineFeed),
      ("5;a=b\nhello", .bareLineFeed), ("5;a=\"\n\"\r\nhello", .bareLineFeed), ("5 \nhello", .bareLineFeed),
      ("5;a\rhello", .bareCarriageReturn), ("5;a=b\r\r\n", .bareCarriageReturn),
      ("5\r\nhello0\r\n\r\n", .chunkNotTerminated), ("5\r\nhello\n0\r\n\r\n", .chunkNotTerminated),
      ("5\r\nhello\r0\r\n\r\n", .chunkNotTerminated), ("5\r\nhello!\r\n0\r\n\r\n", .chunkNotTerminated),
      ("5\r\nhell\r\n0\r\n\r\n", .chunkNotTerminated), ("5\r\nhello\r\n\r\n0\r\n\r\n", .malformedChunkSize),
      ("5\r\nhello \r\n", .chunkNotTerminated),
      ("0\r\n\n", .bareLineFeed), ("0\r\n\r\r\n", .bareCarriageReturn), ("0\r\n\rX", .bareCarriageReturn),
      ("0\r\n X: y\r\n", .foldedField), ("0\r\nX: y\r\n z\r\n\r\n", .foldedField),
      ("0\r\nX : y\r\n", .whitespaceInFieldName),
      ("0\r\nX\r\n\r\n", .missingColon), ("0\r\n: y\r\n\r\n", .invalidFieldName), ("0\r\nX: y\n\r\n", .bareLineFeed),
      ("0\r\nX: a\rb\r\n\r\n", .bareCarriageReturn), ("0\r\nX: \u{00}\r\n\r\n", .controlByte),
      ("0\r\nGET / HTTP/1.1\r\n\r\n", .whitespaceInFieldName),
    ] as [(String, WireError)])
  func refused(body: String, error: WireError) {
    #expect(decode(body, as: .chunked) == .refused(error))
  }

  @Test("a chunk of the largest size is begun; its size does not wrap around")
  func largest() {
    let summary = BodySummary(payload: "abc", consumed: 21, isFinished: false)
    #expect(decode("7fffffffffffffff\r\nabc", as: .chunked) == .complete(summary))
  }

  @Test("trailers are read as fields; those that have no business there are left out")
  func trailers() {
    let body =
      "0\r\nX-Sum:  1 \r\nContent-Length: 5\r\nGrpc-Status:0\r\nauthorization: x\r\nTransfer_Encoding: chunked\r\n"
    let expected = BodySummary(
      consumed: body.utf8.count + 2, isFinished: true, trailers: ["X-Sum=1", "Grpc-Status=0"], dropped: 3)
    #expect(decode(body + "\r\nnext", as: .chunked) == .complete(expected))
  }

  @Test(
    "fields that frame, route, authenticate or control are not trailers",
    arguments: [
      "Transfer-Encoding", "Content-Length", "Host", "Authorization", "Proxy-Authorization", "Proxy-Anything", "Proxy",
      "Cookie", "Set-Cookie", "Connection", "TE", "Trailer", "Upgrade", "Keep-Alive", "Via", "Forwarded", "Origin",
      "Cache-Control", "Expect", "Max-Forwards", "Range", "If-Match", "If-None-Match", "If-Modified-Since", "Date",
      "Location", "Retry-After", "Content-Type", "Content-Encoding", "Content-Range", "WWW-Authenticate",
      "Proxy-Status",
    ])
  func forbidden(name: String) {
    let body = "0\r\n\(name): 1\r\n\r\n"
    let expected = BodySummary(consumed: body.unicodeScalars.count, isFinished: true, dropped: 1)
    #expect(decode(body, as: .chunked) == .complete(expected))
  }

  @Test("what is not payload is limited")
  func limits() {
    let limits = BodyLimits(extensionLine: 10, extensionOverhead: 16, trailerBytes: 20, trailerFields: 2)
    let chunk = "1;aaaaaaaaa\r\nx\r\n"
    let finished = BodySummary(payload: "x", consumed: chunk.unicodeScalars.count + 5, isFinished: true)
    #expect(decode(chunk + "0\r\n\r\n", as: .chunked, limits: limits) == .complete(finished))
    #expect(decode("1;aaaaaaaaaa\r\nx\r\n", as: .chunked, limits: limits) == .refused(.chunkExtensionTooLong))
    #expect(decode(chunk + chunk, as: .chunked, limits: limits) == .refused(.chunkExtensionTooLong))
    // The same extension on chunks of a payload that outweighs it may go on for ever.
    let large = String(repeating: "a;aaaaaaaaa\r\n0123456789\r\n", count: 100)
    guard case .complete = decode(large, as: .chunked, limits: limits) else {
      Issue.record("extensions on large chunks were refused")
      return
    }
    #expect(decode("0\r\nX: 9012345678901234\r\n\r\n", as: .chunked, limits: limits) == .refused(.trailerTooLarge))
    #expect(decode("0\r\nA:1\r\nTE:2\r\nC:3\r\n\r\n", as: .chunked, limits: limits) == .refused(.tooManyFields))
    guard case .complete = decode("0\r\nX: 901234567890123\r\n\r\n", as: .chunked, limits: limits) else {
      Issue.record("trailers of the limit were refused")
      return
    }
  }
}
