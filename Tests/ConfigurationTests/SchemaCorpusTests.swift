import Configuration
import Foundation
import Testing

/// Files that proxy.schema.json and the loader have to agree about. Tests/EndToEnd/test_schema.py tries the schema with them.
@Suite("The corpus of the schema") struct SchemaCorpusTests {
  private static func files(_ kind: String) throws -> [URL] {
    let directory = ProxyConfExampleTests.root.appending(path: "Tests/Corpus/schema/\(kind)")
    let files = try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
    return files.filter { $0.pathExtension == "conf" }.sorted { $0.path < $1.path }
  }

  @Test("good files are loaded")
  func good() throws {
    let files = try Self.files("good")
    #expect(files.count > 50)
    for file in files {
      try withExampleFiles(String(contentsOf: file, encoding: .utf8)) { text in
        #expect(problems(text) == [], "\(file.lastPathComponent)")
      }
    }
  }

  @Test("bad files have one problem, which begins as the first line says")
  func bad() throws {
    let files = try Self.files("bad")
    #expect(files.count > 100)
    for file in files {
      let text = try String(contentsOf: file, encoding: .utf8)
      let expected = try #require(text.prefixMatch(of: #/# (.+)/#)?.1)
      let problems = try withExampleFiles(text, problems)
      let isIt = problems.first?.wholeMatch(of: #/[0-9]+:[0-9]+: (.*)/#)?.1.hasPrefix(expected) == true
      #expect(problems.count == 1 && isIt, "\(file.lastPathComponent): \(problems)")
    }
  }
}
