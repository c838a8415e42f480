import Configuration
import Foundation
import GeneratedDocuments
import Testing

@Suite("Documents that the declarations of settings make") struct GeneratedDocumentsTests {
  // A file of a secret or a route's own timeouts say nothing that a table would show better than a sentence.
  private static let withoutTable: Set = ["file", "route_timeouts", "certificate"]

  @Test("the tables of docs/configuration.md")
  func tables() throws {
    let document = GeneratedDocument("docs/configuration.md")
    for group in TopSettings.group.all where !Self.withoutTable.contains(group.name) {
      let rows = group.settings.map { setting in
        let restart = setting.change == .restart ? "; a change takes a restart" : ""
        return [
          "`\(group.prefix)\(setting.name)`", setting.type.documented, setting.documentedDefault,
          setting.summary + restart,
        ]
      }
      try document.checkPart(
        "settings of \(group.name)", is: MarkdownTable(["Setting", "Type", "Default", ""], rows).text)
    }
  }

  @Test("the JSON Schema")
  func schema() throws {
    try GeneratedDocument("docs/proxy.schema.json").check(is: "\(TopSettings.schema)\n")
  }

  @Test("a summary fits into a cell, and is one sentence without a full stop")
  func summaries() {
    for group in TopSettings.group.all {
      for setting in group.settings {
        let cells = [setting.summary, setting.documentedDefault, setting.type.documented]
        for cell in cells { #expect(cell.count <= MarkdownTable.longestCell, "\(group.name).\(setting.name): \(cell)") }
        #expect(!setting.summary.isEmpty && !setting.summary.hasSuffix("."), "\(group.name).\(setting.name)")
      }
    }
  }

  @Test("no cell of a table in a document is longer than a line of the page; reasons stand below the table")
  func cells() throws {
    let documents = try GeneratedDocument.all()
    #expect(documents.contains("README.md") && documents.contains("docs/security.md"))
    for path in documents {
      for cell in MarkdownTable.cells(in: try GeneratedDocument.text(path)) {
        #expect(cell.count <= MarkdownTable.longestCell, "\(path): \(cell)")
      }
    }
  }
}
