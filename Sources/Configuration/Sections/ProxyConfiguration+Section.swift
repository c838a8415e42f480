internal import Outbound

extension ProxyConfiguration {
  /// Reads the whole file; nil after a problem with its form was noted.
  static func read(_ root: Setting) -> ProxyConfiguration? {
    root.section(expected: "a mapping of settings (name: value)") { top in
      var configuration = ProxyConfiguration()
      let callers = CallersTable.read(top)
      (configuration.listen, configuration.admin) = ListenAddress.read(top, callers: callers)
      configuration.loops = top.value("loops", .count(1...256))
      _ = top.section("log") { configuration.log.read($0) }
      _ = top.section("tls") { configuration.tls.read($0) }
      _ = top.section("timeouts") { configuration.timeouts.read($0) }
      _ = top.section("limits") { configuration.limits.read($0) }
      let store = top["token_store"]
      configuration.tokenStore = store?.section { TokenStoreSettings.read($0) }
      let ignoresPathCase = top.value("paths_ignore_case", .truth)
      let interception = top["interception"]
      configuration.interception = interception?.section { InterceptionSettings.read($0) }
      let parentProxy = ParentProxy.read(top, inherited: nil)
      let table = CredentialsTable.read(top, parentProxy: parentProxy)
      let routes = RouteReader.read(
        top, credentials: table, callers: callers, timeouts: configuration.timeouts, limits: configuration.limits,
        parentProxy: parentProxy, hasInterception: interception != nil, ignoresPathCase: ignoresPathCase)
      configuration.callers = callers.callers
      configuration.credentials = table.credentials
      configuration.routes = routes
      if let store, let settings = configuration.tokenStore {
        settings.complainOfMissingKey(store, for: table.credentials)
      }
      if top.findings.problems.isEmpty {
        table.warnOfUnused(by: routes, top.findings)
        callers.warnOfUnused(by: routes, configuration.listen, top.findings)
        callers.warnOfUnknowable(at: configuration.listen, top.findings)
        if let interception { configuration.interception?.warnIfUnused(interception, by: routes) }
      }
      return configuration
    }
  }
}
