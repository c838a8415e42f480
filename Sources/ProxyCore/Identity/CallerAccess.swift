internal import Configuration

/// Which callers a route or a listener serves, as requests meet it.
struct CallerAccess: Sendable {
  /// The callers, by their numbers; nil for all that are known.
  let admitted: [Int]?
  /// Whether requests are served of which nobody knows who sent them.
  let admitsStrangers: Bool

  /// What a listener says.
  init(_ rule: CallerRule) {
    admitted = if case .oneOf(let callers) = rule { callers } else { nil }
    admitsStrangers = false
  }

  /// What `route` says; nil where it is the same to it who calls.
  init?(_ route: Route) {
    switch (route.rules.callers, route.credentials) {
    case (nil, .noToken), (nil, .same): return nil
    case (let callers?, _):
      admitted = callers
      admitsStrangers = false
    case (nil, .byCaller(let table, let others)):
      admitted = others == nil ? table.keys.sorted() : nil
      admitsStrangers = others != nil
    }
  }

  /// Whether this caller is served.
  func admits(_ caller: Int) -> Bool { admitted?.contains(caller) ?? true }
}
