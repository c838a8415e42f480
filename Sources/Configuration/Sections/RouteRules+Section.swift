internal import Addresses

extension Setting {
  /// The value of a list in which nothing stands twice, or of one value that stands for a list of one; nil after a
  /// problem was noted.
  func distinct<Value: Hashable>(_ format: Format<Value>) -> [Value]? {
    guard let items = items(format.expected) else { return nil }
    var values: [Value] = []
    for item in items {
      guard let value = item.value(format) else { return nil }
      if values.contains(value) { item.complain("is \(displayed("\(value)")), which is in the list already") }
      values.append(value)
    }
    return values
  }
}

extension RouteRules {
  /// Reads `allow`, `callers`, `methods` and `paths` of a route. Where one is wrong there is a problem, and no configuration.
  static func read(_ section: Section, callers: CallersTable) -> RouteRules {
    var rules = RouteRules()
    rules.allow = section["allow"]?.distinct(.network)
    rules.callers = section["callers"].flatMap(callers.indices)
    rules.methods = section["methods"]?.distinct(.method)
    rules.paths = section["paths"]?.distinct(.pathPrefix)
    return rules
  }
}
