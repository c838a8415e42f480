internal import Configuration
internal import Outbound

/// The routes as requests will be matched, one line each.
struct RouteReport {
  let text: String

  init(_ configuration: ProxyConfiguration) {
    let rows = configuration.routes.map { route in
      let names = route.matches.map(\.description) + (route.mount.map { [$0.isEmpty ? "/" : $0] } ?? [])
      let what = (Self.callers(route, configuration) + Self.token(route) + Self.way(route, configuration)).joined(
        separator: ", ")
      return [route.name, names.joined(separator: ", "), "→ \(Self.target(of: route))", what]
    }
    let widths = (0..<3).map { column in rows.map { $0[column].count }.max() ?? 0 }
    text = rows.map { row in
      let cells = zip(row, widths).map { cell, width in cell + String(repeating: " ", count: width - cell.count) }
      return "route    \((cells + [row[3]]).joined(separator: "   "))".trimmingSpaces
    }.joined(separator: "\n")
  }

  /// The callers that may use the route, and their credentials if these depend on the caller.
  private static func callers(_ route: Route, _ configuration: ProxyConfiguration) -> [String] {
    let names = configuration.callers.map(\.name)
    var words = route.rules.callers.map { ["for \($0.map { names[$0] }.joined(separator: " "))"] } ?? []
    if case .byCaller(let table, let others) = route.credentials {
      var choices = table.sorted { $0.key < $1.key }.map { "\(names[$0]): \(configuration.credentials[$1].name)" }
      if let others { choices.append("others: \(configuration.credentials[others].name)") }
      words.append("credentials by caller (\(choices.joined(separator: ", ")))")
    }
    return words
  }

  /// What a token is requested for.
  private static func token(_ route: Route) -> [String] {
    guard route.credentials.hasToken else { return ["no token"] }
    var words = route.audience.map { ["audience \($0)"] } ?? []
    if !route.resources.isEmpty { words.append("resource \(route.resources.joined(separator: " "))") }
    if !route.scopes.isEmpty { words.append("scopes \(route.scopes.joined(separator: " "))") }
    if !route.tokenField.isAuthorization { words.append("token in \(route.tokenField.header)") }
    if !route.tokenEndpoints.isEmpty {
      words.append("placeholders at \(route.tokenEndpoints.map(\.description).joined(separator: " "))")
    }
    if route.withoutToken == .forward { words.append("without a token if there is none") }
    return words
  }

  /// How the connection is made, if it is not the usual way.
  private static func way(_ route: Route, _ configuration: ProxyConfiguration) -> [String] {
    (route.tunnel == .intercept ? ["CONNECT intercepted"] : [])
      + (route.trust == configuration.tls ? [] : ["trusts \(authorities(route.trust))"])
      + (route.clientCertificate.map { ["client certificate \($0.certificateFile)"] } ?? [])
      + (route.parentProxy.map { ["through the proxy \($0)"] } ?? [])
      + (route.concurrency.map { ["\($0.requests) at once"] } ?? [])
  }

  private static func authorities(_ trust: TrustSettings) -> String {
    guard let file = trust.caFile else { return "the system's authorities" }
    return trust.addsSystemRoots ? "\(file) and the system's authorities" : file
  }

  private static func target(of route: Route) -> String {
    if let upstream = route.upstream { return "\(upstream)\(route.upstreamBasePath)" }
    let addresses = route.allowsPrivate ? "public or private" : "public addresses only"
    return route.tunnel != .blind ? "https on the requested host, \(addresses)" : "blind tunnel, \(addresses)"
  }
}

extension String {
  fileprivate var trimmingSpaces: String {
    var text = Substring(self)
    while text.last == " " { text.removeLast() }
    return String(text)
  }
}
