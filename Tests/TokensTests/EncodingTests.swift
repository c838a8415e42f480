import Foundation
import Testing

@testable import Tokens

@Suite("Encodings, dates and instants")
struct EncodingTests {
  @Test("base64 agrees with Foundation at every length", arguments: 0...64)
  func base64(length: Int) {
    let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ 89) }
    var encoded: [UInt8] = []
    Base64.encode(bytes.span) { encoded.append($0) }
    let expected = Data(bytes).base64EncodedString()
    #expect(String(decoding: encoded, as: UTF8.self) == expected)
    #expect(encoded.count == Base64.encodedCount(length))
    let urlSafe = expected.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    #expect(Base64.decodeURLSafe(Array(urlSafe.utf8).span) == bytes)
  }

  @Test("what is no URL-safe base64 is not decoded", arguments: ["a", "ab=c", "a+bc", "a/bc", "ab c", "abcde"])
  func notBase64(text: String) {
    #expect(Base64.decodeURLSafe(Array(text.utf8).span) == nil)
  }

  @Test("dates agree with Foundation through leap years and centuries")
  func dates() {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(identifier: "GMT")
    formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
    for seconds in stride(from: Int64(0), to: 8_000_000_000, by: 8_640_001) {
      let text = formatter.string(from: Date(timeIntervalSince1970: Double(seconds)))
      #expect(HTTPDate.seconds(text) == seconds, "\(text)")
    }
  }

  @Test(
    "what is no date is none",
    arguments: [
      "", "Sun, 06 Nov 1994 08:49:37", "Sun 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49 GMT",
      "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Non 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
      "Sun, 06 Nov 1994 08:49:37 CET", "Sun, +6 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
      "Sun, 06 Nov 99999999999999999999 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
    ])
  func noDate(text: String) {
    #expect(HTTPDate.seconds(text) == nil)
  }

  @Test("instants saturate instead of overflowing")
  func saturation() {
    let late = TokenInstant(nanoseconds: .max - 5)
    #expect(late.advanced(by: .nanoseconds(5)).nanoseconds == .max)
    #expect(late.advanced(by: .nanoseconds(6)).nanoseconds == .max)
    #expect(late.advanced(by: .seconds(Int64.max)).nanoseconds == .max)
    #expect(TokenInstant(nanoseconds: -5).advanced(by: .seconds(Int64.min)).nanoseconds == .min)
    #expect(TokenInstant(nanoseconds: .min).duration(to: TokenInstant(nanoseconds: .max)) > .seconds(Int64(9e9)))
  }

  @Test("the system's clock goes forward, and its wall clock is in this century")
  func systemClock() {
    let before = TokenClock.system.now
    #expect(before.nanoseconds > 0)
    #expect(TokenClock.system.now >= before)
    #expect((1_700_000_000...4_102_444_800).contains(TokenClock.system.wallSeconds))
  }
}
