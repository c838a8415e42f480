/// Values by path prefix. A look-up hashes the beginnings of the path and returns the longest prefix that covers it.
public struct PathTable<Value: Sendable>: Sendable {
  /// The prefixes with their values, in the order in which they were added.
  public private(set) var entries: [(prefix: PathPrefix, value: Value)] = []
  private var index = HashIndex()
  private var longest = 0

  /// An empty table.
  public init() {}

  /// The longest prefix that covers `path`, of those whose value `accepts` takes.
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

  /// Lets `change` set the value for `prefix`.
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

  // A prefix ends where a segment does, or with the slash behind it.
  private static func mayEnd(_ path: Span<UInt8>, at length: Int) -> Bool {
    length == 0 || length == path.count || path[length] == UInt8(ascii: "/") || path[length - 1] == UInt8(ascii: "/")
  }

  private func position(of path: Span<UInt8>, _ length: Int, _ hash: FNV1a) -> Int? {
    index.position(of: hash.value) { entries[$0].prefix.length == length && entries[$0].prefix.covers(path) }
  }
}
