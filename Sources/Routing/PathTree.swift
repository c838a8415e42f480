internal import Encodings

/// The path prefixes that decide something, as a tree of segments, which ``PathReadings`` compares with the readings of a path.
///
/// Prefixes are entered percent-decoded, as a server reads them, so that all spellings of a prefix lead to the same node.
public final class PathTree: Sendable {
  /// A directory: the paths that begin with certain segments and a slash.
  struct Node: Sendable {
    /// The last segment of the path to this node.
    var label: [UInt8]
    var parent: Int
    /// The directories below, ordered by their labels.
    var children: [Int] = []
    /// The values of prefixes without a final slash, such as `/api`: they also cover the name itself.
    var atName: [Int] = []
    /// The values of prefixes with a final slash, such as `/api/`.
    var inside: [Int] = []
    /// The nearest ancestor that has values; the root if there is none.
    var above = 0
  }

  private struct Edge: Hashable {
    let parent: Int
    let label: [UInt8]
  }

  let nodes: [Node]
  /// Whether labels are in lower case and compared with readings in lower case.
  let ignoresCase: Bool
  /// Whether even paths without encodings must be compared: case is ignored, or a prefix has an encoding, which servers decode.
  public let concernsPlainPaths: Bool
  private let nodesOfPrefix: [PathPrefix: [Int]]

  /// The tree of `prefixes`, each with a value of the caller.
  public init(_ prefixes: [(prefix: PathPrefix, value: Int)], ignoresCase: Bool = false) {
    self.ignoresCase = ignoresCase
    var nodes = [Node(label: [], parent: 0)]
    var nodesOfPrefix: [PathPrefix: [Int]] = [:]
    var known: [Edge: Int] = [:]
    for (prefix, value) in prefixes {
      for labels in Self.readings(of: prefix.bytes, ignoresCase) {
        var node = 0
        for label in labels {
          let edge = Edge(parent: node, label: label)
          node = known[edge] ?? nodes.count
          guard node == nodes.count else { continue }
          known[edge] = node
          nodes.append(Node(label: edge.label, parent: edge.parent))
          nodes[edge.parent].children.append(node)
        }
        if prefix.bytes.last == UInt8(ascii: "/") {
          nodes[node].inside.append(value)
        } else {
          nodes[node].atName.append(value)
        }
        nodesOfPrefix[prefix, default: []].append(node)
      }
    }
    for index in nodes.indices {
      let children = nodes[index].children
      nodes[index].children = children.sorted { nodes[$0].label.lexicographicallyPrecedes(nodes[$1].label) }
      // Parents precede their children.
      let parent = nodes[index].parent
      nodes[index].above = nodes[parent].hasValues ? parent : nodes[parent].above
    }
    self.nodes = nodes
    self.nodesOfPrefix = nodesOfPrefix
    concernsPlainPaths = ignoresCase || prefixes.contains { PathReadings.exist(of: $0.prefix.bytes.span) }
  }

  /// The directories of `prefix`, which must be one of the tree's: one for each way to read it. The root if `prefix` is nil.
  func nodes(of prefix: PathPrefix?) -> [Int] { prefix.flatMap { nodesOfPrefix[$0] } ?? [0] }

  /// Calls `visit` with the values of the prefixes that cover a path, the longest first, until it returns true.
  ///
  /// - Parameter node: the deepest directory that the path names or lies in.
  /// - Parameter isName: whether the path ends with the name of that directory, without a slash.
  func visitPrefixes(covering node: Int, isName: Bool, _ visit: ([Int]) -> Bool) {
    var (node, isName) = (node, isName)
    while true {
      if !isName, !nodes[node].inside.isEmpty, visit(nodes[node].inside) { return }
      if !nodes[node].atName.isEmpty, visit(nodes[node].atName) { return }
      guard node != 0 else { return }
      (node, isName) = (nodes[node].above, false)
    }
  }

  /// The part of `children` whose labels have `byte` at `position`; their labels agree up to there.
  func narrow(_ children: Range<Int>, of node: Int, to byte: UInt8, at position: Int) -> Range<Int> {
    let all = nodes[node].children
    // A label that ends here sorts before longer ones.
    func key(_ index: Int) -> Int {
      let label = nodes[all[index]].label
      return position < label.count ? Int(label[position]) : -1
    }
    let lower = Self.partition(children) { key($0) >= Int(byte) }
    return lower..<Self.partition(lower..<children.upperBound) { key($0) > Int(byte) }
  }

  /// The child whose label is exactly the first `length` bytes, which all of `children` share.
  func exact(_ children: Range<Int>, of node: Int, length: Int) -> Int? {
    guard let first = children.first else { return nil }
    let child = nodes[node].children[first]
    return nodes[child].label.count == length ? child : nil
  }

  /// The first index for which `isBehind` holds, given that it holds for all later ones; the end if there is none.
  private static func partition(_ range: Range<Int>, _ isBehind: (Int) -> Bool) -> Int {
    var (low, high) = (range.lowerBound, range.upperBound)
    while low < high {
      let middle = (low + high) / 2
      if isBehind(middle) { high = middle } else { low = middle + 1 }
    }
    return low
  }

  /// The segments of a prefix as servers read them: decoded before or after the path is split, and with `+` as a plus or a
  /// space.
  private static func readings(of bytes: [UInt8], _ ignoresCase: Bool) -> [[[UInt8]]] {
    let (slash, backslash) = (UInt8(ascii: "/"), UInt8(ascii: "\\"))
    var readings = [bytes.split(separator: slash).map { PathCharacters.whollyDecoded(Array($0)) }]
    let decoded = PathCharacters.whollyDecoded(bytes)
    // Not if a segment is an encoded slash, such as the name of a RabbitMQ vhost: its path is not its parent's path.
    let split = decoded.split(omittingEmptySubsequences: false) { $0 == slash || $0 == backslash }.map { Array($0) }
    if split.dropFirst().dropLast(decoded.last == slash ? 1 : 0).allSatisfy({ !$0.isEmpty }) {
      readings.append(split.filter { !$0.isEmpty })
    }
    if bytes.contains(UInt8(ascii: "+")) {
      readings += readings.map { $0.map { $0.map { $0 == UInt8(ascii: "+") ? UInt8(ascii: " ") : $0 } } }
    }
    var distinct: [[[UInt8]]] = []
    for reading in readings {
      let reading = ignoresCase ? reading.map(PathCharacters.caseFolded) : reading
      if !distinct.contains(reading) { distinct.append(reading) }
    }
    return distinct
  }
}

extension PathTree.Node {
  fileprivate var hasValues: Bool { !inside.isEmpty || !atName.isEmpty }
}

/// The path prefixes that decide about requests, with case and, if an upstream ignores it, without.
struct PathTrees: Sendable {
  /// Every path, with the value 0.
  static let all = PathTrees([(PathPrefix(""), 0)], ignoresCase: false)

  private let exact: PathTree
  private let ignoringCase: PathTree?

  init(_ prefixes: [(prefix: PathPrefix, value: Int)], ignoresCase: Bool) {
    exact = PathTree(prefixes)
    ignoringCase = ignoresCase ? PathTree(prefixes, ignoresCase: true) : nil
  }

  /// Whether the readings of `path` must be compared.
  func concern(_ path: Span<UInt8>) -> Bool {
    ignoringCase != nil || exact.concernsPlainPaths || PathReadings.exist(of: path)
  }

  /// Compares the outcomes of all readings of `path`, including those of servers that ignore case, if there are any.
  func compare(
    _ path: Span<UInt8>, _ question: PathReadings.Question, outcome: (Int) -> Int?
  ) -> PathReadings.Verdict {
    let verdict = PathReadings.compare(path, in: exact, question, outcome: outcome)
    guard verdict == .same, let ignoringCase else { return verdict }
    return PathReadings.compare(path, in: ignoringCase, question, outcome: outcome)
  }
}

/// Values by path prefix. A look-up hashes the beginnings of the path and returns the longest prefix that covers it.
public struct PathTable<Value: Sendable>: Sendable {
  /// The prefixes with their values, in the order in which they were added.
  public private(set) var entries: [(prefix: PathPrefix, value: Value)] = []
  private var index = HashIndex()
  private var longest = 0

  /// An empty table.
  public init() {}

  /// The longest prefix that covers `path` and whose value `accepts` accepts.
  public func entry(covering path: Span<UInt8>, where accepts: (Value) -> Bool) -> (prefix: PathPrefix, value: Value)? {
    var hash = FNV1a()
    var found: Int?
    for length in 0...min(path.count, longest) {
      if Self.mayEnd(path, at: length), let position = position(of: path, length, hash),
        accepts(entries[position].value)
      {
        found = position
      }
      if length < path.count { hash.add(path[length]) }
    }
    return found.map { entries[$0] }
  }

  /// Calls `change` to set the value for `prefix`.
  public mutating func update(_ prefix: PathPrefix, default value: Value, _ change: (inout Value) -> Void) {
    let hash = prefix.hash.value
    if let position = index.position(of: hash, where: { entries[$0].prefix == prefix }) {
      return change(&entries[position].value)
    }
    var value = value
    change(&value)
    entries.append((prefix, value))
    index.append(hash)
    longest = max(longest, prefix.length)
  }

  // A prefix ends at the end of a segment, or after a slash.
  private static func mayEnd(_ path: Span<UInt8>, at length: Int) -> Bool {
    length == 0 || length == path.count || path[length] == UInt8(ascii: "/") || path[length - 1] == UInt8(ascii: "/")
  }

  private func position(of path: Span<UInt8>, _ length: Int, _ hash: FNV1a) -> Int? {
    index.position(of: hash.value) { entries[$0].prefix.length == length && entries[$0].prefix.covers(path) }
  }
}
