import GeneratedDocuments
import Logging
import Telemetry
import Testing

@Suite("Declared events and fields") struct EventKindTests {
  private static let ofEveryLine: Set<LogField> = [.time, .level, .event]

  @Test("every field is one of an event, or of every line", arguments: LogField.allCases)
  func fields(_ field: LogField) {
    let events = EventKind.allCases.filter { $0.fields.contains(field) }
    #expect(events.isEmpty == Self.ofEveryLine.contains(field))
    #expect(field.meaning.count <= MarkdownTable.longestCell)
  }

  @Test("an event declares its fields in the order in which lines show them", arguments: EventKind.allCases)
  func order(_ event: EventKind) {
    #expect(event.fields.map(\.rawValue) == Set(event.fields).map(\.rawValue).sorted())
    #expect(!event.levels.isEmpty && event.levels == Set(event.levels).sorted())
    #expect(event.meaning.count <= MarkdownTable.longestCell)
  }

  @Test("an event is written with its name, level and fields")
  func written() throws {
    let bytes = try output { sink in
      let log = EventLog(
        Logger(label: "test") { _ in EventLogHandler(sink: sink, style: LogStyle(format: .logfmt), now: { 0 }) })
      log.warning(.tokenBudget, [.hint: "h", .credentials: "kinde", .error: "token_budget_spent"])
      log.info(.token, [.fetchedToday: .number(3), .source: "store", .took: .duration(.milliseconds(44))])
    }
    #expect(
      try lines(of: bytes) == [
        "time=1970-01-01T00:00:00.000Z level=warning event=token_budget credentials=kinde error=token_budget_spent "
          + "hint=h",
        "time=1970-01-01T00:00:00.000Z event=token took=44ms fetched_today=3 source=store",
      ])
  }

  @Test("what is below the level of the log is not written, and its fields are not made")
  func level() throws {
    func fields() -> EventLog.Fields {
      Issue.record("the fields were made")
      return [:]
    }
    let bytes = try output { sink in
      let log = EventLog(
        Logger(label: "test") { _ in EventLogHandler(sink: sink, style: LogStyle(format: .logfmt, level: .error)) })
      log.warning(.refused, fields())
    }
    #expect(bytes.isEmpty)
  }

  @Test("the level can be changed while the log is in use, for all its copies, and names that are none change nothing")
  func changedLevel() throws {
    let bytes = try output { sink in
      let log = EventLog(
        Logger(label: "test") { _ in EventLogHandler(sink: sink, style: LogStyle(format: .logfmt), now: { 0 }) })
      let copy = log
      #expect(log.threshold.name == "info")
      #expect(log.threshold.set("error"))
      copy.warning(.refused, [.limit: "a"])
      #expect(!log.threshold.set("loud") && log.threshold.name == "error")
      #expect(copy.threshold.set("warning") && log.threshold.name == "warning")
      log.warning(.refused, [.limit: "b"])
      log.info(.token, [.fetchedToday: .number(3)])
      #expect(log.threshold.set("debug"))
      copy.info(.token, [.fetchedToday: .number(4)])
    }
    #expect(
      try lines(of: bytes) == [
        "time=1970-01-01T00:00:00.000Z level=warning event=refused limit=b",
        "time=1970-01-01T00:00:00.000Z event=token fetched_today=4",
      ])
  }

  #if DEBUG
    @Test("a field that the event does not declare ends the program, in debug builds")
    func undeclaredField() async {
      await #expect(processExitsWith: .failure) {
        EventLog(Logger(label: "test") { StreamLogHandler.standardError(label: $0) })
          .warning(.refused, [.lifetime: "1"])
      }
    }
  #endif
}
