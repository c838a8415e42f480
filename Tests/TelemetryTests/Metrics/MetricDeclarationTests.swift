import GeneratedDocuments
import Telemetry
import Testing

@Suite("Metric declarations") struct MetricDeclarationTests {
  @Test("no two metrics have one name")
  func names() {
    #expect(Set(Metric.allCases.map(\.declaration.name)).count == Metric.allCases.count)
  }

  @Test("a name follows the conventions of Prometheus, and says the unit", arguments: Metric.allCases)
  func conventions(_ metric: Metric) throws {
    let declaration = metric.declaration
    #expect(declaration.name.wholeMatch(of: /(m2m_proxy|process)(_[a-z0-9]+)+/) != nil)
    #expect(declaration.name.hasSuffix("_total") == (declaration.kind == .counter))
    for unit in MetricDeclaration.Unit.allCases {
      let saysUnit = declaration.name.contains("_\(unit)_") || declaration.name.hasSuffix("_\(unit)")
      #expect(saysUnit == (declaration.unit == unit))
    }
    #expect(Set(declaration.labels).count == declaration.labels.count)
  }

  @Test("a help text is one sentence that fits into a table", arguments: Metric.allCases)
  func help(_ metric: Metric) {
    let help = metric.declaration.help
    #expect(help.count <= MarkdownTable.longestCell && help.hasSuffix(".") && !help.dropLast().contains(". "))
    #expect(!help.contains("|") && !help.contains("`") && !help.contains("\n"))
  }

  @Test("a label has a name that Prometheus allows and does not use itself", arguments: MetricLabel.allCases)
  func labels(_ label: MetricLabel) {
    #expect(label.rawValue.wholeMatch(of: /[a-z]+(_[a-z]+)*/) != nil && label.rawValue != "le")
    #expect(Metric.allCases.contains { $0.declaration.labels.contains(label) })
    #expect(label.meaning.count <= MarkdownTable.longestCell)
  }
}
