/// A place in proxy.conf: line and column in characters, both from 1.
struct Mark: Hashable, Comparable {
  var line: Int
  var column: Int

  static let beginning = Mark(line: 1, column: 1)

  static func < (one: Mark, other: Mark) -> Bool {
    (one.line, one.column) < (other.line, other.column)
  }
}
