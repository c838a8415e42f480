import Foundation
import Logging
import Telemetry
import Testing

@Suite("Event log") struct EventLogHandlerTests {
  struct Refused: Error, CustomStringConvertible {
    var description: String { "unauthorized client" }
  }

  /// The lines that `body` logs, without their time.
  func logged(
    _ format: LogFormat = .logfmt, provider: Logger.MetadataProvider? = nil, _ body: (inout Logger) -> Void
  ) throws -> [String] {
    let bytes = try output { sink in
      var logger = Logger(label: "test") { _ in
        var handler = EventLogHandler(sink: sink, style: LogStyle(format: format), now: { 0 })
        handler.metadataProvider = provider
        return handler
      }
      body(&logger)
    }
    let prefix = format == .logfmt ? "time=1970-01-01T00:00:00.000Z " : "{\"time\":\"1970-01-01T00:00:00.000Z\","
    return try lines(of: bytes).map { line in
      try #require(line.hasPrefix(prefix))
      return String(line.dropFirst(prefix.count))
    }
  }

  let token: Logger.Metadata = [
    "took": .stringConvertible(Duration.milliseconds(44)), "credentials": "kinde", "result": "ok",
    "lifetime": .stringConvertible(Duration.seconds(3600)), "fetched_today": .stringConvertible(25),
    "audience": "https://orders.example.com", "reason": "renewal",
  ]

  @Test("an event's fields come in the order in which they are declared")
  func order() throws {
    #expect(
      try logged { $0.info("token", metadata: token) } == [
        "event=token credentials=kinde audience=https://orders.example.com reason=renewal result=ok lifetime=3600s "
          + "took=44ms fetched_today=25"
      ])
  }

  @Test("numbers and durations are numbers in JSON")
  func json() throws {
    #expect(
      try logged(.json) { $0.info("token", metadata: token) } == [
        #""event":"token","credentials":"kinde","audience":"https://orders.example.com","reason":"renewal","#
          + #""result":"ok","lifetime_s":3600,"took_ms":44,"fetched_today":25}"#
      ])
  }

  @Test("the level is shown where it is not info, and what lies below the logger's is not written")
  func levels() throws {
    let lines = try logged { logger in
      logger.debug("hidden")
      logger.info("ready")
      logger.warning("inline_secret")
      logger.logLevel = .trace
      logger.trace("shown")
    }
    #expect(lines == ["event=ready", "level=warning event=inline_secret", "level=trace event=shown"])
  }

  @Test("keys that are not declared come last, sorted")
  func unknown() throws {
    #expect(
      try logged { $0.info("x", metadata: ["zone": "a", "hint": "h", "attempt": "2", "route": "r"]) } == [
        "event=x route=r hint=h attempt=2 zone=a"
      ])
  }

  @Test("a line's own metadata goes before the logger's, and that before the provider's")
  func precedence() throws {
    let provider = Logger.MetadataProvider { ["a": "provider", "b": "provider", "c": "provider"] }
    let lines = try logged(provider: provider) { logger in
      logger[metadataKey: "b"] = "logger"
      logger[metadataKey: "c"] = "logger"
      logger.info("x", metadata: ["c": "line"])
    }
    #expect(lines == ["event=x a=provider b=logger c=line"])
  }

  @Test("neither messages nor metadata can forge a line or a field")
  func forged() throws {
    let lines = try logged { logger in
      logger.info(
        "x\nevent=forged",
        metadata: ["a\n event": "1 b=2", "event": "forged", "time": "never", "level": "none", "": "empty"])
    }
    try #require(lines.count == 1)
    let pairs = try Logfmt.pairs(of: lines[0])
    #expect(pairs.map(\.key) == ["event", "_", "a__event", "event_", "level_", "time_"])
    #expect(pairs.map(\.value) == ["x\nevent=forged", "empty", "1 b=2", "forged", "none", "never"])
  }

  @Test("an error is a field, unless the metadata says more about it")
  func errors() throws {
    let lines = try logged { logger in
      logger.error("token", error: Refused())
      logger.error("token", error: Refused(), metadata: ["error": "known"])
    }
    #expect(lines == ["level=error event=token error=\"unauthorized client\"", "level=error event=token error=known"])
  }

  @Test("lists are one text, dictionaries a field for each key, both in a fixed order")
  func nested() throws {
    let metadata: Logger.Metadata = [
      "scopes": ["read:orders", "write:orders"], "tls": ["version": "1.3", "ci pher": .stringConvertible(7)],
    ]
    #expect(
      try logged(.json) { $0.info("x", metadata: metadata) } == [
        #""event":"x","scopes":"read:orders,write:orders","tls.ci_pher":7,"tls.version":"1.3"}"#
      ])
  }

  @Test("numbers and truth values stay what they are, and what JSON has no number for is text")
  func odd() throws {
    let metadata: Logger.Metadata = [
      "a": .stringConvertible(-1), "b": .stringConvertible(Duration.seconds(-1)),
      "c": .stringConvertible(Duration.seconds(Int64.max)), "d": .stringConvertible(1.5),
      "e": .stringConvertible(Double.nan), "f": .stringConvertible(true),
    ]
    #expect(
      try logged(.json) { $0.info("x", metadata: metadata) } == [
        #""event":"x","a":-1,"b_ms":0,"c_ms":18446744073710,"d":1.5,"e":"nan","f":true}"#
      ])
  }
}
