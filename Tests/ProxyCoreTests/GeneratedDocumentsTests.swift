import GeneratedDocuments
import Testing

@testable import ProxyCore

@Suite("Parts of documents that are generated from declarations")
struct GeneratedDocumentsTests {
  @Test("docs/operations.md lists every error kind")
  func errorKinds() throws {
    try GeneratedDocument("docs/operations.md").checkPart("error kinds", is: Self.errorKindTables)
  }

  private static var errorKindTables: String {
    ErrorKind.Hop.allCases.map { hop in
      let rows = ErrorKind.all.filter { $0.declaration.hop == hop }.map(row)
      return "`\(hop.rawValue)`:\n\n" + MarkdownTable(["kind", "status", "meaning", "remedy"], rows).text
    }.joined(separator: "\n\n")
  }

  private static func row(_ kind: ErrorKind) -> [String] {
    let declaration = kind.declaration
    let statuses = [declaration.status].compactMap(\.self) + declaration.otherStatuses
    return [
      "`\(kind.name)`", statuses.map(String.init).joined(separator: ", "), declaration.meaning, declaration.remedy,
    ]
  }

  @Test("meaning and remedy of a kind are one readable cell each", arguments: ErrorKind.all)
  func cells(_ kind: ErrorKind) {
    for text in [kind.declaration.meaning, kind.declaration.remedy] {
      #expect(text.count <= MarkdownTable.longestCell, "\(kind.name): \(text.count) characters: \(text)")
      #expect([".", "?"].contains(text.suffix(1)), "\(kind.name): \(text)")
      let words = text.replacing(#/`[^`]*`|\[[^\]]*\]\([^)]*\)/#, with: "")
      let code = words.firstMatch(
        of: #/[a-z]_[a-z]|(limits|timeouts|tls)\.[a-z]|m2m-proxy (check|run|ca|health)|ulimit/#)
      #expect(code == nil, "\(kind.name): settings and commands are in backquotes: \(text)")
    }
  }
}
