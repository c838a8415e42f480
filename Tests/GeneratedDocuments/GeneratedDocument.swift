public import Foundation

/// A document of the project of which parts are generated from what the program declares. Tests compare these parts with the
/// declarations, and write them when `UPDATE_DOCUMENTS=1` is in the environment (`scripts/update-documents`).
public struct GeneratedDocument {
  /// Why a part cannot be compared.
  public struct Failure: Error, CustomStringConvertible {
    /// What is wrong, and how to fix it.
    public let description: String
  }

  private let url: URL
  private let path: String

  /// The document at `path`, which counts from the root of the project.
  public init(_ path: String) {
    self.path = path
    url = Self.root.appendingPathComponent(path)
  }

  /// The root of the project.
  public static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// The documents of the project, as paths from its root.
  public static func all() throws -> [String] {
    try ["", "docs/", "docs/decisions/", ".github/"].flatMap { directory in
      try FileManager.default.contentsOfDirectory(atPath: root.appendingPathComponent(directory).path)
        .filter { $0.hasSuffix(".md") }.map { directory + $0 }
    }
  }

  /// The document at `path`.
  public static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
  }

  // Suites run in parallel, and may write parts of one document.
  private static let turn = NSLock()

  private static let updates = ProcessInfo.processInfo.environment["UPDATE_DOCUMENTS"] == "1"

  /// Compares what is between `<!-- generated: NAME -->` and `<!-- end -->` with `text`, or writes it.
  public func checkPart(_ name: String, is text: String) throws {
    Self.turn.lock()
    defer { Self.turn.unlock() }
    let document = try String(contentsOf: url, encoding: .utf8)
    let begin = "<!-- generated: \(name) -->\n"
    let end = "<!-- end -->"
    guard let first = document.range(of: begin),
      let last = document.range(of: end, range: first.upperBound..<document.endIndex)
    else { throw Failure(description: "\(path) has no part \"\(name)\": add the lines \(begin)and \(end)") }
    try check(document, first.upperBound..<last.lowerBound, "\n\(text)\n", "the part \"\(name)\"")
  }

  /// Compares the whole document with `text`, or writes it.
  public func check(is text: String) throws {
    Self.turn.lock()
    defer { Self.turn.unlock() }
    let document = (try? String(contentsOf: url, encoding: .utf8)) ?? ""
    try check(document, document.startIndex..<document.endIndex, text, "it")
  }

  private func check(_ document: String, _ part: Range<String.Index>, _ text: String, _ what: String) throws {
    guard document[part] != text else { return }
    guard Self.updates else {
      throw Failure(description: "\(path): \(what) is not what is declared; run scripts/update-documents")
    }
    try document.replacingCharacters(in: part, with: text).write(to: url, atomically: true, encoding: .utf8)
  }
}

/// A table in Markdown.
public struct MarkdownTable {
  /// The lines of the table, without the line end of the last one.
  public let text: String

  /// The most characters that a cell should have to be readable as source and as a page.
  public static let longestCell = 120

  /// A table with these columns and rows. A `|` in a cell is escaped.
  public init(_ columns: [String], _ rows: [[String]]) {
    var lines = [Self.line(columns), Self.line(columns.map { _ in "---" }).replacingOccurrences(of: " ", with: "")]
    lines += rows.map(Self.line)
    text = lines.joined(separator: "\n")
  }

  /// The cells of all tables in `document`, without the spaces around them.
  public static func cells(in document: String) -> [String] {
    document.split(separator: "\n").filter { $0.hasPrefix("|") }.flatMap { line in
      line.replacingOccurrences(of: "\\|", with: "\u{0}").split(separator: "|").map {
        $0.replacingOccurrences(of: "\u{0}", with: "|").trimmingCharacters(in: .whitespaces)
      }
    }
  }

  private static func line(_ cells: [String]) -> String {
    "|" + cells.map { $0.isEmpty ? " |" : " \($0.replacingOccurrences(of: "|", with: "\\|")) |" }.joined()
  }
}
