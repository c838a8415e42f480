internal import Routing

/// The prefixes of paths that decide about requests, with case and, where an upstream ignores that, without.
struct PathTrees: Sendable {
  /// Every path, with the value 0.
  static let all = PathTrees([(PathPrefix(""), 0)], ignoresCase: false)

  private let exact: PathTree
  private let ignoringCase: PathTree?

  init(_ prefixes: [(prefix: PathPrefix, value: Int)], ignoresCase: Bool) {
    exact = PathTree(prefixes)
    ignoringCase = ignoresCase ? PathTree(prefixes, ignoresCase: true) : nil
  }

  /// Whether the readings of `path` have to be compared.
  func concern(_ path: Span<UInt8>) -> Bool {
    ignoringCase != nil || exact.concernsPlainPaths || PathReadings.exist(of: path)
  }

  /// Compares what the readings of `path` lead to, also those of a server that ignores case where there is one.
  func compare(
    _ path: Span<UInt8>, _ question: PathReadings.Question, outcome: (Int) -> Int?
  ) -> PathReadings.Verdict {
    let verdict = PathReadings.compare(path, in: exact, question, outcome: outcome)
    guard verdict == .same, let ignoringCase else { return verdict }
    return PathReadings.compare(path, in: ignoringCase, question, outcome: outcome)
  }
}

/// Why a path is refused that servers read in different ways.
final class PathConflict: Sendable {
  /// What is said behind the path as it was sent.
  let text: String

  /// A path that some servers read as `reading`, of which `consequence` is true.
  init(_ reading: String, _ consequence: String) {
    let shown = reading.utf8.count > 200 ? "\(reading.prefix(200))…" : reading
    text = "some servers read it as \(shown), which \(consequence)"
  }

  private init(text: String) {
    self.text = text
  }

  static let tooMany = PathConflict(text: "it has too many possible readings to compare them")
}
