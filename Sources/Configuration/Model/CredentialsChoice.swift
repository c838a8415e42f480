/// Which credentials a route gets its tokens with: indices into ``ProxyConfiguration/credentials``.
public enum CredentialsChoice: Sendable, Hashable {
  /// None: its requests go without a token.
  case noToken
  /// The same for everybody.
  case same(Int)
  /// Those of the caller, by its index in ``ProxyConfiguration/callers``; `others` for everybody else, and nil where
  /// nobody else is served.
  case byCaller([Int: Int], others: Int?)

  /// All that may be used, each once, in the order of the file.
  public var all: [Int] {
    switch self {
    case .noToken: []
    case .same(let index): [index]
    case .byCaller(let table, let others): Set(Array(table.values) + [others].compactMap(\.self)).sorted()
    }
  }

  /// Whether there is a token.
  public var hasToken: Bool { self != .noToken }
}
