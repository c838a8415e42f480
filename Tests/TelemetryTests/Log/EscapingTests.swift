import Foundation
import SeededRandom
import Telemetry
import Testing

@Suite("What a client sent, in the log") struct EscapingTests {
  /// What a reader of the log gets to see: the text, with the bytes that are not UTF-8 as `\xHH`.
  func legible(_ bytes: [UInt8]) -> String {
    var text = ""
    var rest = bytes[...]
    while let first = rest.first {
      let scalar = (1...4).lazy.compactMap { length in
        rest.count < length ? nil : String(validating: rest.prefix(length), as: UTF8.self)
      }.first { $0.unicodeScalars.count == 1 }
      text += scalar ?? "\\x" + (first < 16 ? "0" : "") + String(first, radix: 16)
      rest = rest.dropFirst(scalar?.utf8.count ?? 1)
    }
    return text
  }

  /// Each of `values` in the middle of a line.
  func written(_ values: [[UInt8]], _ format: LogFormat) throws -> [String] {
    let bytes = try output { sink in
      let log = AccessLog(sink: sink, style: LogStyle(format: format))
      for value in values {
        log.write(at: 0) { line in
          line.field(.path, value.span)
          line.field(.status, 200)
        }
      }
      log.flush()
    }
    let lines = try lines(of: bytes)
    try #require(lines.count == values.count)
    return lines
  }

  func expectReadBack(_ values: [[UInt8]]) throws {
    for (line, value) in zip(try written(values, .logfmt), values) {
      let pairs = try Logfmt.pairs(of: line)
      #expect(pairs.map(\.key) == ["time", "event", "path", "status"])
      #expect(pairs[2].value.unicodeScalars.elementsEqual(legible(value).unicodeScalars), "\(value)")
    }
    for (line, value) in zip(try written(values, .json), values) {
      let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      #expect(Set(object.keys) == ["time", "event", "path", "status"])
      let path = try #require(object["path"] as? String)
      #expect(path.unicodeScalars.elementsEqual(legible(value).unicodeScalars), "\(value)")
      #expect(object["status"] as? Int == 200)
    }
  }

  @Test("every byte reads back, alone and between others")
  func bytes() throws {
    try expectReadBack(
      (UInt8.min...UInt8.max).flatMap { byte in [[byte], Array("/a".utf8) + [byte] + Array("b".utf8)] })
  }

  @Test("every kind of well-formed and ill-formed UTF-8 reads back")
  func sequences() throws {
    let edges: [UInt8] = [
      0x00, 0x22, 0x41, 0x5C, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED,
      0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
    ]
    try expectReadBack(edges.flatMap { first in edges.map { [first, $0] } })
    let leads = edges.filter { $0 >= 0xE0 }
    try expectReadBack(leads.flatMap { first in edges.map { [first, $0, 0x80] } })
    try expectReadBack(
      leads.flatMap { first in edges.flatMap { [[first, $0, 0xBF, 0x80], [first, 0x90, $0, 0x41]] } })
    try expectReadBack("aé€𝄞\u{10FFFF}\u{D7FF}\u{E000}\u{FEFF}".unicodeScalars.map { Array(String($0).utf8) })
  }

  @Test(
    "no value can end its line, begin another field, or drive a terminal",
    arguments: [
      "/\r\ntime=2026-01-01T00:00:00.000Z event=request status=200", "/\nevent=forged", "/\revent=forged",
      "/ status=500", "/\" status=500 x=\"", "/\\\" status=500", "/\\", "/\"", "=", "a=b", "\"},{\"event\":\"forged",
      "/\u{2028}event=forged", "/\u{2029}event=forged", "/\u{85}event=forged", "/\u{0B}\u{0C}\u{1C}\u{1E}forged",
      "/\u{1B}[2K\u{1B}[1Aforged", "/\u{9B}2Kforged", "/\u{08}\u{08}\u{08}", "/\u{7F}", "/\u{202E}degrof", "/\u{2066}x",
      "/\u{A0}event=forged", "/\u{3000}event=forged", "/\0",
    ])
  func forged(_ value: String) throws {
    let bytes = Array(value.utf8)
    try expectReadBack([bytes])
    for line in try written([bytes], .logfmt) + written([bytes], .json) {
      let dangerous = line.unicodeScalars.filter { scalar in
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
      }
      #expect(dangerous.isEmpty, "\(line.debugDescription)")
    }
  }

  @Test("random bytes read back")
  func random() throws {
    var generator = SplitMix(state: 20_261_123)
    try expectReadBack(
      (0..<2_000).map { _ in
        (0..<Int.random(in: 1...40, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
      })
  }
}
