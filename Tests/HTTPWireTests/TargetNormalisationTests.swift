import Deliveries
import HTTPWire
import SeededRandom
import Testing

/// What becomes of a target: its new form, what was corrected, and the user and password; nil where nothing can be corrected.
private func normalise(_ target: [UInt8]) throws(WireError) -> (target: String, changes: String, userinfo: String?)? {
  guard let result = try NormalisedTarget(target.span) else { return nil }
  return (
    text(result.bytes), result.changes.names,
    result.userinfo.map { String(decoding: target[$0], as: UTF8.self) }
  )
}

@Suite("Targets that are corrected") struct TargetNormalisationTests {
  @Test(
    "a fragment is dropped",
    arguments: [
      ("/a#b", "/a"), ("/a#", "/a"), ("/#", "/"), ("/a?b#c", "/a?b"), ("/a?#", "/a?"), ("/a#b#c?d/e", "/a"),
      ("http://a/#b", "http://a/"), ("http://a#b", "http://a"), ("HTTPS://a:1/x?y#z", "HTTPS://a:1/x?y"),
      ("/a#b@c", "/a"), ("http://a/b#c@d", "http://a/b"), ("/a#\u{e9}\"", "/a"),
    ])
  func fragment(target: String, expected: String) throws {
    let result = try #require(try normalise(Array(target.utf8)))
    #expect(result.target == expected)
    #expect(result.changes == "fragment")
    #expect(result.userinfo == nil)
  }

  @Test(
    "user and password are taken out",
    arguments: [
      ("http://u@a/", "http://a/", "u"), ("http://u:p@a/x", "http://a/x", "u:p"), ("http://@a/", "http://a/", ""),
      ("http://:@a/", "http://a/", ":"), ("https://u:p:q@a:8443?x", "https://a:8443?x", "u:p:q"),
      ("http://u%40x:p%3Aq%2F@a/", "http://a/", "u%40x:p%3Aq%2F"), ("http://u:a%20b@a/", "http://a/", "u:a%20b"),
      ("http://D%5Cu:p@[::1]:80/", "http://[::1]:80/", "D%5Cu:p"),
      ("http://\u{fc}:\u{e9}@a/", "http://a/", "\u{fc}:\u{e9}"),
      ("http://a:80@b/", "http://b/", "a:80"), ("http://u:p^{w}@a/@b", "http://a/@b", "u:p^{w}"),
    ])
  func userinfo(target: String, expected: String, userinfo: String) throws {
    let result = try #require(try normalise(Array(target.utf8)))
    #expect(result.target == expected)
    #expect(result.changes == "userinfo")
    #expect(result.userinfo == userinfo)
  }

  @Test(
    "a user name with two readings is refused",
    arguments: [
      "http://a@b@c/", "http://a:b@c@d/", "http://a\\@b/", "http://\\a@b/", "http://a:b\\c@d/", "http://[::1]@a/",
      "http://a[@b/", "http://a]@b/", "http://a%@b/", "http://a%4@b/", "http://a%zz@b/", "http://a%00@b/",
      "http://a%0d%0aX:y@b/", "http://a:%0ab@c/", "http://a:%7f@b/", "http://a%3Ab@c/", "http://a%3ab:c@d/",
      "http://a#@b/", "http://a#x@b", "http://a:80#@b/", "http://a#\\@b/",
    ])
  func twoReadings(target: String) {
    #expect(throws: WireError.userinfo) { try normalise(Array(target.utf8)) }
  }

  @Test(
    "a Host that repeats the authority is recognised, as it is written and decoded",
    arguments: [
      ("http://u:p@a/x", "u:p@a", "u:p@"), ("http://u@a:80?x", "u@a:80", "u@"), ("http://@a/", "@a", "@"),
      ("http://m%40e:S3%3Ax@a/", "m%40e:S3%3Ax@a", "m%40e:S3%3Ax@"),
      ("http://m%40e:S3%3Ax@a/", "m@e:S3:x@a", "m@e:S3:x@"),
      ("http://u:p%20w@a/", "u:p w@a", "u:p w@"), ("http://u:%C3%A9@a/", "u:\u{e9}@a", "u:\u{e9}@"),
      ("http://u:p@a/x", "u:q@a", nil), ("http://u:p@a/x", "u:p@b", nil), ("http://u:p@a/x", "a", nil),
      ("http://u:p@a/x", "u:p@a:80", nil), ("http://m%40e@a/", "m@x@a", nil), ("http://m%40e@a/", "x@m@e@a", nil),
      ("http://a/", "u@a", nil), ("/x", "u@a", nil), ("http://a/x@b", "u@b", nil), ("http://u%00@a/", "u\u{0}@a", nil),
      ("http://u%0d%0ax@a/", "u\r\nx@a", nil), ("http://u%3Ap@a/", "u:p@a", nil), ("http://u%@a/", "u%@a", nil),
    ] as [(String, String, String?)])
  func repeatedUserinfo(target: String, host: String, userinfo: String?) {
    let encodings: [(String) -> [UInt8]] = [
      { Array($0.utf8) }, { $0.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) } },
    ]
    for encoded in encodings {
      let length = NormalisedTarget.repeatedUserinfo(host: encoded(host).span, of: Array(target.utf8).span)
      #expect(length == userinfo.map { encoded($0).count })
    }
  }

  @Test(
    "a host that is not ASCII is refused", arguments: ["http://\u{e4}.a/", "http://u@\u{e4}/x#y", "https://a\u{3002}b"])
  func internationalHost(target: String) {
    #expect(throws: WireError.invalidHost) { try normalise(Array(target.utf8)) }
  }

  @Test(
    "raw bytes are percent-encoded",
    arguments: [
      ("/caf\u{e9}", "/caf%C3%A9"), ("/a\"b<c>d", "/a%22b%3Cc%3Ed"), ("/a|b^c`d{e}", "/a%7Cb%5Ec%60d%7Be%7D"),
      ("/a?q={\"x\":1}", "/a?q=%7B%22x%22:1%7D"), ("/a?\u{fc}", "/a?%C3%BC"),
      ("/[a]\\?[\\]'\u{e9}", "/[a]\\?[\\]'%C3%A9"),
      ("http://a/\u{65e5}?|", "http://a/%E6%97%A5?%7C"), ("/%7b%41{", "/%7b%41%7B"), ("/a?100%\"", "/a?100%%22"),
    ])
  func rawBytes(target: String, expected: String) throws {
    let result = try #require(try normalise(Array(target.utf8)))
    #expect(result.target == expected)
    #expect(result.changes == "raw_bytes")
  }

  @Test("bytes that are no UTF-8 are encoded one by one")
  func otherEncodings() throws {
    let result = try #require(try normalise(Array("/caf".utf8) + [0xe9, 0xff, 0xc0, 0xaf]))
    #expect(result.target == "/caf%E9%FF%C0%AF")
  }

  @Test("several corrections are made at once")
  func several() throws {
    let result = try #require(try normalise(Array("http://u:p@a/\u{e9}?{}#top".utf8)))
    #expect(result.target == "http://a/%C3%A9?%7B%7D")
    #expect(result.changes == "fragment,userinfo,raw_bytes")
  }

  @Test(
    "what is neither a path nor a URL is left alone",
    arguments: ["", "*", "*#x", "a:443", "u@a:443", "#", "ftp://u@a/"])
  func others(target: String) throws {
    #expect(try normalise(Array(target.utf8)) == nil)
  }

  @Test("a target that is well-formed stays as it is")
  func unchanged() throws {
    for target in ["/", "/a/%41?b=%zz&c'\\", "http://a", "https://a.example:8443/x;y=z?@"] {
      let result = try #require(try normalise(Array(target.utf8)))
      #expect(result.target == target)
      #expect(result.changes.isEmpty)
    }
  }

  @Test("after a correction, the parser rejects the target or has nothing left to correct")
  func settles() throws {
    var random = SplitMix(state: 17)
    let pieces =
      [
        "http://", "https://", "/", "a", "@", ":", "#", "?", "%", "%41", "%0a", "\\", "\"", "{", "|", "<", "[", "]",
        "\u{e9}",
        "..", "a.example", "u:p@",
      ].map { Array($0.utf8) } + [[0xff], [0xc0, 0xaf]]
    var accepted = 0
    for _ in 0..<40_000 {
      var target: [UInt8] =
        random.next() % 4 == 0 ? [] : random.next() % 2 == 0 ? Array("http://".utf8) : Array("/".utf8)
      for _ in 0..<random.next() % 8 { target += pieces[Int(random.next() % UInt64(pieces.count))] }
      guard let result = try? normalise(target) else { continue }
      let corrected = Array(result.target.unicodeScalars.map { UInt8($0.value) })
      guard case .complete = parseTarget(result.target) else { continue }
      accepted += 1
      let parsed = try RequestTarget.parse(corrected.span, target: ByteRange(0..<corrected.count), method: .get)
      #expect(!parsed.hasUnwiseBytes, "\(result.target)")
      #expect(!result.target.contains("#"), "\(result.target)")
      let again = try #require(try normalise(corrected))
      #expect(again.target == result.target && again.changes.isEmpty, "\(result.target)")
      // Raw characters after the host were encoded, and the rest was not touched.
      #expect(corrected.allSatisfy { $0 > 0x20 && $0 < 0x7f })
    }
    #expect(accepted > 2_000)
  }
}
