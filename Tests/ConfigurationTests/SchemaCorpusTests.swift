import Foundation
import Testing

@testable import Configuration

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

@Suite("Patterns of the schema") struct PatternTests {
  @Test(
    "match the numbers of a range and no others",
    arguments: [0...0, 0...9, 1...12, 7...7, 16...23, 95...105, 0...255, 100...999, 512...1_300, 199...1_001])
  func numbers(range: ClosedRange<Int>) throws {
    let pattern = try Regex(numberPattern(range))
    for number in 0...1_400 {
      #expect(("\(number)".wholeMatch(of: pattern) != nil) == range.contains(number), "\(number): \(range)")
    }
    for text in ["", "00", "01", "+1", "1.0"] { #expect(text.wholeMatch(of: pattern) == nil, "\(text)") }
  }

  @Test("take the numbers of each unit that are in range")
  func units() throws {
    let pattern = try Regex(quantityPattern(1_024...3 << 20, sizeUnits))
    for text in ["1024", "1025", "3145728", "1KB", "3072KB", "1MB", "3MB"] {
      #expect(text.wholeMatch(of: pattern) != nil, "\(text)")
    }
    for text in ["0", "1023", "3145729", "0KB", "3073KB", "0MB", "4MB", "1GB", "1kb", "1 KB", "1.5MB"] {
      #expect(text.wholeMatch(of: pattern) == nil, "\(text)")
    }
  }
}
