import Foundation
import Testing

@testable import Telemetry

@Suite("Log lines") struct LogLineTests {
  // 2026-11-23T12:00:00.123Z
  let time: UInt64 = 1_795_435_200_123_456_789

  func written(_ format: LogFormat, longestValue: Int = 4096, _ fields: (inout LogLine) -> Void) throws -> String {
    let bytes = try output { sink in
      let log = AccessLog(sink: sink, style: LogStyle(format: format), longestValue: longestValue)
      log.write(at: time, fields)
      log.flush()
    }
    let lines = try lines(of: bytes)
    try #require(lines.count == 1)
    return lines[0]
  }

  func request(_ line: inout LogLine) {
    line.field(.route, "orders")
    line.field(.method, Array("GET".utf8).span)
    line.field(.host, Array("orders.internal".utf8).span)
    line.field(.path, Array("/v1/orders".utf8).span)
    line.field(.status, 200)
    line.field(.sent, 1840)
    line.field(.received, UInt64.max)
    line.field(.token, nanoseconds: 0)
    line.field(.connect, nanoseconds: 0)
    line.field(.firstByte, nanoseconds: 12_412_345)
    line.field(.total, nanoseconds: 12_880_000)
    line.field(.upstream, "reused" as StaticString)
    line.field(.client, "127.0.0.1:51514")
  }

  @Test("a request in logfmt")
  func logfmt() throws {
    #expect(
      try written(.logfmt, request) == """
        time=2026-11-23T12:00:00.123Z event=request route=orders method=GET host=orders.internal path=/v1/orders \
        status=200 sent=1840 received=18446744073709551615 token=0ms connect=0ms first_byte=12.4ms total=12.9ms \
        upstream=reused client=127.0.0.1:51514
        """)
  }

  @Test("a request in JSON")
  func json() throws {
    #expect(
      try written(.json, request) == """
        {"time":"2026-11-23T12:00:00.123Z","event":"request","route":"orders","method":"GET","host":"orders.internal",\
        "path":"/v1/orders","status":200,"sent":1840,"received":18446744073709551615,"token_ms":0,"connect_ms":0,\
        "first_byte_ms":12.4,"total_ms":12.9,"upstream":"reused","client":"127.0.0.1:51514"}
        """)
  }

  @Test(
    "durations have three digits that matter, and no more than a microsecond's",
    arguments: [
      (0, "0"), (499, "0"), (500, "0.001"), (1_000, "0.001"), (312_499, "0.312"), (999_499, "0.999"), (999_500, "1"),
      (1_000_000, "1"), (1_234_999, "1.23"), (9_995_000, "10"), (12_412_345, "12.4"), (44_000_000, "44"),
      (99_950_000, "100"), (100_499_999, "100"), (100_500_000, "101"), (3_600_000_000_000, "3600000"),
      (UInt64.max, "18446744073710"),
    ])
  func durations(_ nanoseconds: UInt64, _ milliseconds: String) throws {
    #expect(try written(.logfmt) { $0.field(.total, nanoseconds: nanoseconds) }.hasSuffix(" total=\(milliseconds)ms"))
    #expect(
      try written(.json) { $0.field(.total, nanoseconds: nanoseconds) }.hasSuffix("\"total_ms\":\(milliseconds)}"))
  }

  @Test("a number with any decimals is written as its digits, without the zeros that mean nothing", arguments: 0...6)
  func decimals(_ decimals: Int) {
    let powers = (0..<20).map { (0..<$0).reduce(1 as UInt64) { power, _ in power * 10 } }
    let numbers = Array(0...1100) + powers.flatMap { [$0 - 1, $0, $0 + 1] } + [.max]
    for number in numbers {
      // An own buffer for each: a number must find room at the end of a full one.
      var buffer = LineBuffer(capacity: 1)
      buffer.append(decimal: number, decimals: decimals)
      let digits = String(number)
      var (whole, rest) = (digits, "")
      if decimals > 0 {
        let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
        (whole, rest) = (String(padded.dropLast(decimals)), String(padded.suffix(decimals)))
        while rest.hasSuffix("0") { rest.removeLast() }
      }
      let expected = rest.isEmpty ? whole : whole + "." + rest
      let bytes = buffer.bytes
      #expect(String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self) == expected)
    }
  }

  @Test("a lifetime is in seconds")
  func lifetime() throws {
    #expect(try written(.logfmt) { $0.field(.lifetime, nanoseconds: 3_600_000_000_000) }.hasSuffix(" lifetime=3600s"))
    #expect(try written(.json) { $0.field(.lifetime, nanoseconds: 90_500_000_000) }.hasSuffix("\"lifetime_s\":90.5}"))
  }

  @Test("a value beyond the limit is cut between characters, and ends in an ellipsis")
  func long() throws {
    let path = "/" + String(repeating: "é", count: 10)
    #expect(try written(.logfmt, longestValue: 21) { $0.field(.path, path) }.hasSuffix(" path=\"\(path)\""))
    #expect(try written(.logfmt, longestValue: 4) { $0.field(.path, path) }.hasSuffix(" path=\"/é…\""))
    #expect(try written(.json, longestValue: 5) { $0.field(.path, path) }.hasSuffix("\"path\":\"/éé…\"}"))
    #expect(try written(.logfmt, longestValue: 4) { $0.field(.path, "/plain") }.hasSuffix(" path=\"/pla…\""))
    #expect(try written(.logfmt, longestValue: 6) { $0.field(.path, "/plain") }.hasSuffix(" path=/plain"))
    let continuations = [UInt8](repeating: 0x80, count: 9)
    #expect(
      try written(.json, longestValue: 2) { $0.field(.path, continuations.span) }.hasSuffix(#""path":"\\x80\\x80…"}"#))
  }

  @Test("an empty value is visible")
  func empty() throws {
    #expect(try written(.logfmt) { $0.field(.path, "") }.hasSuffix(" path=\"\""))
    #expect(try written(.json) { $0.field(.path, "") }.hasSuffix("\"path\":\"\"}"))
  }
}
