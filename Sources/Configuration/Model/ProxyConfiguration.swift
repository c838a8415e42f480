public import Outbound

/// The contents of proxy.conf, checked and complete: with defaults, secrets and resolved names.
public struct ProxyConfiguration: Sendable {
  /// The listeners; at least one.
  public var listen: [ListenerSettings]
  /// The address of health and metrics; nil if they are turned off.
  public var admin: TCPAddress?
  /// Where the running proxy takes commands.
  public var control = ControlSetting.automatic
  /// The number of event loops; nil for one per available core.
  public var loops: Int?
  /// Whether other processes are kept out of this one's memory.
  public var isHardened = true
  /// What has proxy.conf loaded again.
  public var reload = ReloadCause.onRequest
  /// What is logged, and in which form.
  public var log: LogSettings
  /// The authorities that verify upstreams and token endpoints.
  public var tls: TrustSettings
  /// The timeouts, unless a route has its own.
  public var timeouts: Timeouts
  /// How connections to upstreams are made, and how long they are kept, unless a route has its own settings.
  public var connections = ConnectionPolicy()
  /// The limits.
  public var limits: Limits
  /// Where tokens are kept so that they outlive the process; nil for memory alone.
  public var tokenStore: TokenStoreSettings?
  /// The applications that are known by name, in the order of the file.
  public var callers: [Caller] = []
  /// The authority that terminates TLS on routes with `tunnel: intercept`; set if such a route exists.
  public var interception: InterceptionSettings?
  /// The identities of the proxy at authorization servers, in the order of the file.
  public var credentials: [Credentials]
  /// The routes, in the order of the file; at least one.
  public var routes: [Route]
  /// Warnings about what is allowed but may be a mistake, in the order of the file.
  public var warnings: [ConfigurationProblem]
  /// The environment variables that hold secrets, by what proxy.conf uses them for, or by their names.
  public var secretVariables: Set<String> = []
  /// What was read.
  public var text: ConfigurationText?

  /// A configuration of these parts; nothing is checked.
  public init(
    listen: [ListenerSettings] = [ListenerSettings(address: .defaultListen)], admin: TCPAddress? = .defaultAdmin,
    loops: Int? = nil,
    log: LogSettings = LogSettings(), tls: TrustSettings = TrustSettings(), timeouts: Timeouts = Timeouts(),
    limits: Limits = Limits(), tokenStore: TokenStoreSettings? = nil, credentials: [Credentials] = [],
    routes: [Route] = [],
    warnings: [ConfigurationProblem] = []
  ) {
    self.listen = listen
    self.admin = admin
    self.loops = loops
    self.log = log
    self.tls = tls
    self.timeouts = timeouts
    self.limits = limits
    self.tokenStore = tokenStore
    self.credentials = credentials
    self.routes = routes
    self.warnings = warnings
  }
}

extension ProxyConfiguration {
  /// Reads the whole file; nil after a problem with its form was reported.
  static func read(_ root: Setting) -> ProxyConfiguration? {
    root.section(of: TopSettings.group, expected: "a mapping of settings (name: value)") { top in
      var configuration = ProxyConfiguration()
      configuration.isHardened = top.value(TopSettings.hardening) ?? true
      top.findings.onHardening?(configuration.isHardened)
      if !configuration.isHardened {
        top[TopSettings.hardening.declaration]?.warn(
          "is off: other processes of the same user can read secrets and tokens from memory, and a core dump holds them"
        )
      }
      let callers = CallersTable.read(top)
      (configuration.listen, configuration.admin) = ListenAddress.read(top, callers: callers)
      configuration.control = ControlSetting.read(top)
      configuration.loops = top.value(TopSettings.loops)
      configuration.reload = top.value(TopSettings.reload) ?? .onRequest
      _ = top.section(TopSettings.log) { LogSettings.read($0, into: &configuration.log) }
      configuration.tls = TrustSettings.read(top[TopSettings.tls], inherited: TrustSettings())
      let upstreamIdle = top.section(TopSettings.timeouts) { section in
        section.read(Timeouts.all, into: &configuration.timeouts)
        return section[Timeouts.upstreamIdle]
      }
      configuration.connections = ConnectionPolicy.read(top, upstreamIdle)
      _ = top.section(TopSettings.limits) { $0.read(Limits.fields, into: &configuration.limits) }
      let store = top[TopSettings.tokenStore]
      configuration.tokenStore = top.section(TopSettings.tokenStore, TokenStoreSettings.read)
      let ignoresPathCase = top.value(TopSettings.pathsIgnoreCase)
      let interception = top[TopSettings.interception]
      configuration.interception = top.section(TopSettings.interception, InterceptionSettings.read)
      let parentProxy = ParentProxy.read(top[TopSettings.parentProxy], inherited: nil)
      let table = CredentialsTable.read(top, parentProxy: parentProxy, trust: configuration.tls)
      let routes = RouteReader.read(
        top, credentials: table, callers: callers, timeouts: configuration.timeouts,
        connections: configuration.connections, limits: configuration.limits, parentProxy: parentProxy,
        trust: configuration.tls, hasInterception: interception != nil, ignoresPathCase: ignoresPathCase,
        access: configuration.log.access)
      configuration.callers = callers.callers
      configuration.credentials = table.credentials
      configuration.routes = routes
      if let store, let settings = configuration.tokenStore {
        settings.complainOfMissingKey(store, for: table.credentials)
      }
      if !top.findings.problems.isEmpty, top.findings.hasInterceptedRoute, top.findings.needsAuthority {
        configuration.interception?.complainIfMissing(top.findings)
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
