/// Why a configuration was refused: all its problems, in the order of the file.
public struct ConfigurationError: Error, Sendable, Hashable {
  /// The problems; at least one.
  public var problems: [ConfigurationProblem]

  /// An error of these problems.
  public init(problems: [ConfigurationProblem]) {
    self.problems = problems
  }

  // More lines than this help nobody: whoever mends the first hundred starts again anyway.
  private static let shown = 100
}

extension ConfigurationError: CustomStringConvertible {
  /// A line for each problem (a hundred at most), and how many there are.
  public var description: String {
    var lines = problems.prefix(Self.shown).map(\.description)
    if problems.count > Self.shown { lines.append("... and \(problems.count - Self.shown) more") }
    lines.append("\(problems.count) \(problems.count == 1 ? "problem" : "problems"), nothing was started.")
    return lines.joined(separator: "\n")
  }
}
