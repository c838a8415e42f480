import Foundation
import FuzzTargets
import Testing

/// The files that fuzzing began with, and those that it once found something with.
@Suite("The corpus of the fuzz targets") struct CorpusTests {
  private static let corpus = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Corpus")

  private func files(of target: FuzzTarget) throws -> [URL] {
    let directory = Self.corpus.appending(path: target.rawValue)
    return try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
      .sorted { $0.path < $1.path }
  }

  @Test("every file of it keeps every property", arguments: FuzzTarget.allCases)
  func replay(target: FuzzTarget) throws {
    let files = try files(of: target)
    #expect(files.count >= 5, "\(target.rawValue) has a corpus")
    for file in files {
      let bytes = Array(try Data(contentsOf: file))
      do {
        try target.check(bytes)
      } catch {
        Issue.record("\(target.rawValue)/\(file.lastPathComponent): \(error)")
      }
    }
  }

  @Test("every file of it, cut off anywhere, keeps every property", arguments: FuzzTarget.allCases)
  func truncated(target: FuzzTarget) throws {
    for file in try files(of: target) {
      let bytes = Array(try Data(contentsOf: file))
      for end in stride(from: 0, to: min(bytes.count, 2_000), by: target == .configuration ? 41 : 3) {
        do {
          try target.check(Array(bytes[..<end]))
        } catch {
          Issue.record("\(target.rawValue)/\(file.lastPathComponent), the first \(end) bytes: \(error)")
        }
      }
    }
  }
}
