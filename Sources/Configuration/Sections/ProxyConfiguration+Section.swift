internal import Outbound

extension ProxyConfiguration {
  /// Reads the whole file; nil after a problem with its form was noted.
  static func read(_ root: Setting) -> ProxyConfiguration? {
    root.section(of: TopSettings.group, expected: "a mapping of settings (name: value)") { top in
      var configuration = ProxyConfiguration()
      let callers = CallersTable.read(top)
      (configuration.listen, configuration.admin) = ListenAddress.read(top, callers: callers)
      configuration.loops = top.value(TopSettings.loops)
      _ = top.section(TopSettings.log) { $0.read(LogSettings.fields, into: &configuration.log) }
      configuration.tls = TrustSettings.read(top[TopSettings.tls], inherited: TrustSettings())
      _ = top.section(TopSettings.timeouts) { $0.read(Timeouts.all, into: &configuration.timeouts) }
      _ = top.section(TopSettings.limits) { $0.read(Limits.fields, into: &configuration.limits) }
      let store = top[TopSettings.tokenStore]
      configuration.tokenStore = top.section(TopSettings.tokenStore, TokenStoreSettings.read)
      let ignoresPathCase = top.value(TopSettings.pathsIgnoreCase)
      let interception = top[TopSettings.interception]
      configuration.interception = top.section(TopSettings.interception, InterceptionSettings.read)
      let parentProxy = ParentProxy.read(top[TopSettings.parentProxy], inherited: nil)
      let table = CredentialsTable.read(top, parentProxy: parentProxy, trust: configuration.tls)
      let routes = RouteReader.read(
        top, credentials: table, callers: callers, timeouts: configuration.timeouts, limits: configuration.limits,
        parentProxy: parentProxy, trust: configuration.tls, hasInterception: interception != nil,
        ignoresPathCase: ignoresPathCase)
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
