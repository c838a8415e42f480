import GeneratedDocuments
import Logging
import Telemetry
import Testing

@Suite("Generated documents: metrics and log") struct GeneratedDocumentsTests {
  @Test("docs/metrics.md has every metric", arguments: MetricDeclaration.Area.allCases)
  func metrics(_ area: MetricDeclaration.Area) throws {
    let rows = Metric.allCases.map(\.declaration).filter { $0.area == area }.map { metric in
      [
        "`\(metric.name)`", [metric.kind.name, metric.unit?.rawValue].compactMap(\.self).joined(separator: ", "),
        metric.labels.map { "`\($0.rawValue)`" }.joined(separator: ", "), metric.help,
      ]
    }
    try GeneratedDocument("docs/metrics.md").checkPart(
      "metrics, \(area.rawValue)", is: MarkdownTable(["metric", "type", "labels", "meaning"], rows).text)
  }

  @Test("docs/metrics.md has every label")
  func labels() throws {
    let rows = MetricLabel.allCases.map { ["`\($0.rawValue)`", $0.meaning] }
    try GeneratedDocument("docs/metrics.md").checkPart("labels", is: MarkdownTable(["label", "values"], rows).text)
  }

  @Test("docs/operations.md has every field of the access log")
  func accessLog() throws {
    try checkFields("fields of the access log", EventKind.request.fields)
  }

  @Test("docs/operations.md has every event")
  func events() throws {
    let rows = EventKind.allCases.map { event in
      ["`\(event.rawValue)`", event.levels.map(\.rawValue).joined(separator: ", "), event.meaning]
    }
    let document = GeneratedDocument("docs/operations.md")
    try document.checkPart("events", is: MarkdownTable(["event", "level", "what has happened"], rows).text)
    // A list, since the fields of some events are too many for a cell.
    let fields = EventKind.allCases.filter { $0 != .request }.map { event in
      "- `\(event.rawValue)`: " + event.fields.map { "`\($0.name)`" }.joined(separator: ", ")
    }
    try document.checkPart("the fields of each event", is: fields.joined(separator: "\n"))
  }

  @Test("docs/operations.md has every field of events that a request does not have")
  func eventFields() throws {
    let others = Set(EventKind.allCases.flatMap(\.fields)).subtracting(EventKind.request.fields)
    try checkFields("fields of events", LogField.allCases.filter(others.contains))
  }

  @Test("docs/operations.md has every reason for which lines are lost")
  func losses() throws {
    let rows = LogLoss.allCases.map { ["`\($0.rawValue)`", $0.meaning] }
    try GeneratedDocument("docs/operations.md").checkPart(
      "reasons of lost lines", is: MarkdownTable(["reason", "meaning"], rows).text)
  }

  private func checkFields(_ part: String, _ fields: [LogField]) throws {
    let rows = fields.map { ["`\($0.name)`", $0.meaning] }
    try GeneratedDocument("docs/operations.md").checkPart(part, is: MarkdownTable(["field", "meaning"], rows).text)
  }
}
