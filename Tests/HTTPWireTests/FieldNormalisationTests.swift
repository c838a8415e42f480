import Deliveries
import HTTPWire
import SeededRandom
import Testing

/// What `correct` makes of the field lines of a head; nil while the head has no end.
private func corrected(
  _ head: [UInt8], _ correct: (Span<UInt8>, Range<Int>) throws(WireError) -> [UInt8]
) throws(WireError) -> String? {
  guard let range = NormalisedFields.bounds(of: head.span, leading: 0, searched: 0) else { return nil }
  return text(try correct(head.span, range))
}

@Suite("Field lines that are corrected") struct FieldNormalisationTests {
  @Test(
    "folds become one space",
    arguments: [
      ("Content-Type: a;\r\n\tb\r\n", "Content-Type: a; b\r\n"),
      ("content-type:\r\n a\r\nX: y\r\n", "content-type: a\r\nX: y\r\n"),
      ("X: y\r\nAccept: a, \t\r\n \t b,\r\n c\r\n", "X: y\r\nAccept: a, b, c\r\n"),
      ("User-Agent: a\r\n (b: c)\r\n", "User-Agent: a (b: c)\r\n"), ("X: y\r\n", "X: y\r\n"),
      ("Content-Type: a\r\n=b:\r\n", "Content-Type: a\r\n=b:\r\n"),
    ])
  func folds(lines: String, expected: String) throws {
    let result = try corrected(bytes("GET / HTTP/1.1\r\n\(lines)\r\n"), NormalisedFields.unfolded)
    #expect(result == expected + "\r\n")
  }

  @Test(
    "other folds are refused",
    arguments: [
      " X: y\r\n", "X: y\r\n z\r\n", "Host: a\r\n b\r\n", "Content-Type: a\r\n \r\n", "Content-Type: a\r\n\t\t \r\n",
      "Content-Type: a\r\n X: y\r\n", "Content-Type: a\r\n X : y\r\n", "Content-Type : a\r\n b\r\n",
      "Content-Type\r\n b\r\n",
      "Content-Types: a\r\n b\r\n", "Content-Length: 1\r\n 2\r\n", "Content-Type: a\r\nCookie: b\r\n c\r\n",
    ])
  func otherFolds(lines: String) {
    #expect(throws: WireError.foldedField) {
      try corrected(bytes("GET / HTTP/1.1\r\n\(lines)\r\n"), NormalisedFields.unfolded)
    }
  }

  @Test("no field of framing, of routing or of credentials is unfolded")
  func closedList() {
    for name in [
      "Host", "Content-Length", "Transfer-Encoding", "TE", "Trailer", "Connection", "Keep-Alive", "Proxy-Connection",
      "Upgrade",
      "HTTP2-Settings", "Expect", "Via", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "Max-Forwards", "Origin",
      "Range",
      "Sec-Fetch-Site", "Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "Destination",
      "Content-Location",
      "X-HTTP-Method-Override", "X-Original-URL", "Content-Encoding", "Content-Range", "Accept_Charset", "Content_Type",
    ] {
      let head = bytes(name)
      let mayFold = NormalisedFields.mayFold(head.span, ByteRange(0..<head.count))
      #expect(!mayFold, "\(name)")
    }
  }

  @Test("lines that end with LF get CR LF")
  func lineEnds() throws {
    let head = "CONNECT a:443 HTTP/1.0\r\nUser-Agent: b\nContent-Length: 0\nPragma: c\r\n\r\n"
    let result = try corrected(bytes(head), NormalisedFields.withLineEnds)
    #expect(result == "User-Agent: b\r\nContent-Length: 0\r\nPragma: c\r\n\r\n")
  }

  @Test(
    "where readers of LF find another end, none is made",
    arguments: ["A: b\n\nC: d", "A: b\n\r\nC: d", "A: b\n c", "A: b\n\tc"])
  func otherEnds(lines: String) {
    #expect(throws: WireError.bareLineFeed) {
      try corrected(bytes("CONNECT a:443 HTTP/1.0\r\n\(lines)\r\n\r\n"), NormalisedFields.withLineEnds)
    }
  }

  @Test("the end of a head is found in whatever pieces it comes, and not before")
  func end() {
    let head = bytes("GET / HTTP/1.1\r\nA: b\r\n c\n\r\nD: e\r\n\r\nrest")
    var searched = 0
    var found: Range<Int>?
    for length in 1...head.count where found == nil {
      found = NormalisedFields.bounds(of: head.span.extracting(0..<length), leading: 0, searched: searched)
      searched = length
    }
    #expect(found == 16..<head.count - 4)
  }

  @Test("a corrected head has no fold and no bare LF, and the parser reads the fields that were sent")
  func settles() throws {
    var random = SplitMix(state: 23)
    let pieces = [
      "Content-Type: a", "Accept: b", "X: y", ";", "\r\n ", "\r\n\t", "\r\n", " ", "c=d", ":", "\n", "\r", "Host: h",
      "\"e\"",
    ]
    var accepted = 0
    for _ in 0..<40_000 {
      var lines = "Host: h\r\nContent-Type: a"
      for _ in 0..<random.next() % 8 { lines += pieces[Int(random.next() % UInt64(pieces.count))] }
      let sent = bytes("GET / HTTP/1.1\r\n\(lines)\r\n\r\n")
      guard let result = try? corrected(sent, NormalisedFields.unfolded) else { continue }
      #expect(!result.contains("\r\n ") && !result.contains("\r\n\t"), "\(lines.debugDescription)")
      // Nothing is lost or added but whitespace and line ends.
      guard let range = NormalisedFields.bounds(of: sent.span, leading: 0, searched: 0) else { continue }
      let visible = { (text: String) in text.unicodeScalars.filter { $0.value > 0x20 } }
      #expect(visible(result).elementsEqual(visible(text(Array(sent[range])))))
      if case .complete = parseRequest("GET / HTTP/1.1\r\n\(result)") { accepted += 1 }
    }
    #expect(accepted > 500)
  }
}
