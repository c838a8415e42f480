internal import Outbound

/// The settings at the top level of proxy.conf.
public enum TopSettings {
  static let listen = SettingDeclaration(
    "listen", ListenerDeclarations.type,
    default: .value("\(ListenAddress.defaultListen)"), "where applications reach the proxy")
  static let admin = Declared(
    "admin", .tcpAddressOrOff, default: .value("\(TCPAddress.defaultAdmin)"),
    "the address of `/healthz` and `/metrics`")
  static let loops = Declared(
    SettingDeclaration(
      "loops", .number(1...256), default: .described("one per available core"), "event loops, each a thread",
      change: .restart),
    .count(1...256))
  static let reload = Declared(
    "reload", Format<ReloadCause>.choice(), default: .value("on_request"),
    "whether a change of the file is enough to load it again; see [reload](operations.md#reload)")
  static let hardening = Declared(
    "hardening", .onOff, default: .value("on"),
    "keeps other processes out of this one's memory; see [hardening](#hardening)")
  static let log = SettingDeclaration(
    "log", .section(LogSettings.group), default: .described("the defaults"), "what is logged; see [log](#log)")
  static let tls = SettingDeclaration(
    "tls", .section(TrustSettings.group), default: .described("the system's roots"),
    "trusted authorities, unless credentials or a route name others; see [tls](#tls)")
  static let timeouts = SettingDeclaration(
    "timeouts", .section(Timeouts.group), default: .described("the defaults"),
    "how long things may take; see [timeouts](#timeouts)")
  static let upstream = SettingDeclaration(
    "upstream", .section(UpstreamSettings.group), default: .described("the defaults"),
    "how connections to upstreams are made and kept; see [upstream](#upstream)")
  static let limits = SettingDeclaration(
    "limits", .section(Limits.group), default: .described("the defaults"),
    "limits of sizes, numbers and rates; see [limits](#limits)")
  static let tokenStore = SettingDeclaration(
    "token_store", .section(TokenStoreSettings.group), default: .described("tokens in memory"),
    "keeps tokens across restarts; see [token_store](#token_store)")
  static let pathsIgnoreCase = Declared(
    "paths_ignore_case", .truth, default: .value("false"), "whether upstreams ignore the case of paths; also in a route"
  )
  static let interception = SettingDeclaration(
    "interception", .section(InterceptionSettings.group),
    "the certificate authority for `https://` URLs; see [interception](#interception)")
  static let parentProxy = SettingDeclaration(
    "parent_proxy", ParentProxySettings.type,
    "an HTTP proxy for outgoing connections; see [parent_proxy](#parent_proxy)")
  static let credentials = SettingDeclaration(
    "credentials", .sections(CredentialsSettings.group, except: [CredentialsTable.none]),
    "the clients as which the proxy fetches tokens; see [credentials](#credentials)"
  )
  static let callers = SettingDeclaration(
    "callers", .sections(CallersTable.group, except: CallersTable.reserved),
    "applications that the proxy knows by name; see [callers](#callers)")
  static let routes = SettingDeclaration(
    "routes", .listOnly(.section(RouteSettings.group)), default: .required,
    "which requests are forwarded, and where to; see [routes](#routes)")

  /// All of proxy.conf.
  public static let group = SettingGroup(
    "proxy.conf", "The configuration of m2m-proxy.",
    [
      listen, admin.declaration, ControlSetting.declared.declaration, loops.declaration, reload.declaration,
      hardening.declaration,
      log, tls,
      parentProxy, timeouts, upstream, limits, interception, tokenStore, callers, credentials, routes,
      pathsIgnoreCase.declaration,
    ])

  /// The JSON Schema of proxy.conf, for editors.
  public static var schema: JSONValue { group.schema(id: "proxy.schema.json", title: "proxy.conf of kinde-m2m-proxy") }
}

/// What causes proxy.conf to be loaded again.
public enum ReloadCause: String, Sendable, CaseIterable {
  /// SIGHUP.
  case onRequest = "on_request"
  /// SIGHUP, and also a change of the file.
  case onChange = "on_change"
}
