import Foundation
import SeededRandom
import Testing

@testable import Encodings

@Suite("Reading JSON objects")
struct JSONObjectTests {
  private static let seeds = [
    #"{"access_token":"eyJ.a\/b","token_type":"Bearer","expires_in":3600}"#,
    #"{ "a" : [ 1, -0, 0.5, 1e5, 1E-7, -12.25e+3 ] , "b" : { "c" : null, "d" : [ true, false, { } , [ ] ] } }"#,
    #"{"\u0061\n\"\\\/\b\f\r\t":"\ud83d\ude00 ü","":""}"#, "[]", "{}", "17", "\"x\"", "null",
  ]

  /// The same question, put to Foundation.
  private static func isJSON(_ bytes: [UInt8]) -> Bool {
    (try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)) != nil
  }

  private static func problem(_ bytes: [UInt8]) -> JSONProblem? {
    do {
      _ = try JSONObject(bytes.span)
      return nil
    } catch {
      return error
    }
  }

  @Test("agrees with Foundation on what is JSON, for every prefix and for thousands of damaged texts")
  func agreesWithFoundation() {
    var generator = SplitMix(state: 20_260_423)
    let alphabet = Array(#"{}[]":,\/u0123456789abcdefEtrunl+-. "#.utf8) + [0x0A, 0x1F, 0x00]
    for seed in Self.seeds {
      let bytes = Array(seed.utf8)
      for length in 0...bytes.count { compare(Array(bytes[..<length])) }
      for _ in 0..<3_000 {
        var damaged = bytes
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
          let position = Int.random(in: 0..<damaged.count, using: &generator)
          let byte = alphabet.randomElement(using: &generator) ?? 0
          switch Int.random(in: 0..<3, using: &generator) {
          case 0: damaged[position] = byte
          case 1: damaged.insert(byte, at: position)
          default: if damaged.count > 1 { damaged.remove(at: position) }
          }
        }
        compare(damaged)
      }
    }
  }

  private func compare(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    // Where Foundation departs from RFC 8259: half surrogate pairs, NUL, and commas before a closing bracket.
    guard !text.lowercased().contains("\\ud"), !bytes.contains(0), !text.contains(/,\s*[}\]]/) else { return }
    #expect((Self.problem(bytes) != .notJSON) == Self.isJSON(bytes), "\(text)")
  }

  @Test("a comma before a closing bracket is an error", arguments: [#"{"a":1,}"#, #"{"a":[1,]}"#, "{,}"])
  func trailingComma(text: String) {
    #expect(Self.problem(Array(text.utf8)) == .notJSON)
  }

  @Test("nesting is bounded, and passed over within the bound")
  func nesting() {
    func nested(_ depth: Int) -> [UInt8] {
      Array((#"{"a":"# + String(repeating: "[", count: depth) + String(repeating: "]", count: depth) + "}").utf8)
    }
    #expect(Self.problem(nested(31)) == nil)
    #expect(Self.problem(nested(32)) == .notJSON)
  }

  @Test("a byte order mark before the text is passed over, and only there")
  func byteOrderMark() throws {
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    #expect(Self.problem(mark + Array("{}".utf8)) == nil)
    #expect(Self.problem(mark + mark + Array("{}".utf8)) == .notJSON)
    #expect(Self.problem(Array("{}".utf8) + mark) == .notJSON)
    #expect(Self.problem(mark) == .notJSON)
    #expect(Self.problem(Array(mark.dropLast())) == .notJSON)
  }

  @Test("a member is found under its unescaped name, and a null is none")
  func members() throws {
    let text = Array(#"{"\u0061b":"x","n":null,"t":true,"o":{"ab":1}}"#.utf8)
    let object = try JSONObject(text.span)
    #expect(object["ab"] == .string(12..<13))
    #expect(object["n"] == nil)
    #expect(object["t"] == .bool(true))
    #expect(object["o"] == .nested)
    #expect(object["missing"] == nil)
  }

  @Test("escapes are decoded")
  func escapes() {
    var bytes: [UInt8] = []
    let text = Array(#"a\"\\\/\b\f\n\r\t\u00e9\u20ac\ud83d\ude00\ud800x\udc00\ud83d\u0041"#.utf8)
    JSONText.unescape(text.span) { bytes.append($0) }
    #expect(String(decoding: bytes, as: UTF8.self) == "a\"\\/\u{8}\u{c}\n\r\té€😀\u{FFFD}x\u{FFFD}\u{FFFD}A")
  }
}

@Suite("Writing JSON strings")
struct JSONEscapingTests {
  @Test("reads back as the same text, and shows no character that ends a line or reorders text")
  func quoted() throws {
    let scalars = (0...0x2100).compactMap { Unicode.Scalar($0) } + ["\u{D7FF}", "\u{E000}", "\u{FEFF}", "\u{10FFFF}"]
    for scalar in scalars {
      let text = "a\(scalar)b"
      let quoted = JSONText.quoted(text)
      let read = try JSONSerialization.jsonObject(with: Data(quoted.utf8), options: .fragmentsAllowed) as? String
      #expect(read.map { $0.unicodeScalars.elementsEqual(text.unicodeScalars) } == true, "\(quoted)")
      let isShown = quoted.unicodeScalars.allSatisfy { scalar in
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: false
        default: !scalar.properties.isBidiControl
        }
      }
      #expect(isShown, "\(quoted.debugDescription)")
    }
  }

  @Test("clean is exactly what is written as it is and is ASCII, whatever the length and the place")
  func clean() {
    for byte in UInt8.min...UInt8.max {
      for length in 1...17 {
        for place in [0, length / 2, length - 1] {
          var text = [UInt8](repeating: UInt8(ascii: "a"), count: length)
          text[place] = byte
          var written: [UInt8] = []
          JSONText.escape(text.span) { written.append($0) }
          #expect(JSONText.isClean(text.span) == (written == text && byte < 0x80))
        }
      }
    }
  }
}
