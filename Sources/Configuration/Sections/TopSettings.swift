/// The settings at the top level of proxy.conf.
public enum TopSettings {
  static let listen = SettingDeclaration(
    "listen", ListenerDeclarations.type,
    default: .value("\(ListenAddress.defaultListen)"), "where applications reach the proxy")
  static let admin = Declared(
    "admin", .tcpAddressOrOff, default: .value("\(TCPAddress.defaultAdmin)"), "where `/healthz` and `/metrics` are")
  static let loops = Declared(
    SettingDeclaration(
      "loops", .number(1...256), default: .described("one per available core"), "event loops", change: .restart),
    .count(1...256))
  static let log = SettingDeclaration("log", .section(LogSettings.group), "see [log](#log)")
  static let tls = SettingDeclaration("tls", .section(TrustSettings.group), "see [tls](#tls)")
  static let timeouts = SettingDeclaration("timeouts", .section(Timeouts.group), "see [timeouts](#timeouts)")
  static let limits = SettingDeclaration("limits", .section(Limits.group), "see [limits](#limits)")
  static let tokenStore = SettingDeclaration(
    "token_store", .section(TokenStoreSettings.group),
    "tokens that outlive the process; see [token_store](#token_store)")
  static let pathsIgnoreCase = Declared(
    "paths_ignore_case", .truth, default: .value("false"), "whether upstreams ignore the case of paths; also of a route"
  )
  static let interception = SettingDeclaration(
    "interception", .section(InterceptionSettings.group),
    "the authority that ends TLS for `https://` URLs; see [interception](#interception)")
  static let parentProxy = SettingDeclaration(
    "parent_proxy", ParentProxySettings.type, "the HTTP proxy of this site; see [parent_proxy](#parent_proxy)")
  static let credentials = SettingDeclaration(
    "credentials", .sections(CredentialsSettings.group), "what tokens are fetched with; see [credentials](#credentials)"
  )
  static let callers = SettingDeclaration(
    "callers", .sections(CallersTable.group), "applications that are known by name; see [callers](#callers)")
  static let routes = SettingDeclaration(
    "routes", .listOnly(.section(RouteSettings.group)), default: .required, "what is forwarded; see [routes](#routes)")

  /// All of proxy.conf.
  public static let group = SettingGroup(
    "proxy.conf", "The configuration of m2m-proxy.",
    [
      callers, listen, admin.declaration, loops.declaration, log, tls, timeouts, limits, tokenStore,
      pathsIgnoreCase.declaration, interception, parentProxy, credentials, routes,
    ])

  /// The JSON Schema of proxy.conf (draft 2020-12), for editors.
  public static var schema: JSONValue { group.schema(id: "proxy.schema.json", title: "proxy.conf of kinde-m2m-proxy") }
}
