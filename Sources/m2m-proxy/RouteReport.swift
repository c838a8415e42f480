internal import Configuration

/// The routes as requests will be matched, one line each.
struct RouteReport {
  let text: String

  init(_ configuration: ProxyConfiguration) {
    let rows = configuration.routes.map { route in
      let names = route.matches.map(\.description) + (route.mount.map { [$0.isEmpty ? "/" : $0] } ?? [])
      var what = configuration.routes.isEmpty ? "" : route.audience.map { "audience \($0)" } ?? ""
      if !route.scopes.isEmpty { what += "\(what.isEmpty ? "" : ", ")scopes \(route.scopes.joined(separator: " "))" }
      if route.credentials == nil { what = "no token" }
      if route.credentials != nil, !route.tokenField.isAuthorization {
        what += "\(what.isEmpty ? "" : ", ")token in \(route.tokenField.header)"
      }
      if route.withoutToken == .forward { what += "\(what.isEmpty ? "" : ", ")without a token if there is none" }
      if let concurrency = route.concurrency { what += "\(what.isEmpty ? "" : ", ")\(concurrency.requests) at once" }
      return [route.name, names.joined(separator: ", "), "→ \(Self.target(of: route))", what]
    }
    let widths = (0..<3).map { column in rows.map { $0[column].count }.max() ?? 0 }
    text = rows.map { row in
      let cells = zip(row, widths).map { cell, width in cell + String(repeating: " ", count: width - cell.count) }
      return "route    \((cells + [row[3]]).joined(separator: "   "))".trimmingSpaces
    }.joined(separator: "\n")
  }

  private static func target(of route: Route) -> String {
    if let upstream = route.upstream { return "\(upstream)\(route.upstreamBasePath)" }
    return "https on the host asked for, \(route.allowsPrivate ? "public or private" : "public addresses only")"
  }
}

extension String {
  fileprivate var trimmingSpaces: String {
    var text = Substring(self)
    while text.last == " " { text.removeLast() }
    return String(text)
  }
}
