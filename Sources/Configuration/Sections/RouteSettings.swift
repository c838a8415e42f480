internal import Addresses
internal import Outbound

/// The settings of a route.
enum RouteSettings {
  // Which requests it takes, and where it forwards them.
  static let name = Declared("name", .name, default: .required, "a unique name, which appears in logs and metrics")
  static let match = SettingDeclaration(
    "match", .list(Format<Match>.match.type), default: .described("none; then `mount` is required"),
    "for clients with `http_proxy`: the beginning of a request's target")
  static let mount = Declared(
    "mount", .mount, default: .described("none; then `match` is required"),
    "for clients with a base URL: the beginning of a request's path")
  static let tunnel = Declared(
    "tunnel", Format<TunnelMode>.choice(),
    "how CONNECT is served: `intercept` ends TLS at the proxy, `blind` forwards bytes unchanged")
  static let forwardTo = Declared(
    "forward_to", .baseURL("https://orders.example.com"),
    default: .described("https on the matched host, on its port if it names one; required with `mount` alone"),
    "the upstream, with an optional prefix for every path")
  static let allowPrivate = Declared(
    "allow_private", .truth, default: .value("false"),
    "whether hosts of wildcards and tunnels may have addresses that are not public")

  // Its token.
  static let credentials = SettingDeclaration(
    "credentials",
    .either([
      Format<String>.name.type, .word("none"), .values(Format<String>.name.type, pattern: "[A-Za-z0-9._-]{1,64}"),
    ]),
    default: .described("the only credentials"), "the credentials for its tokens; `none` forwards without a token")
  static let audience = Declared(
    "audience", .audience, default: .described("that of the credentials"), "the API that the token is for")
  static let resource = SettingDeclaration(
    "resource", .list(Format<String>.resource.type), default: .described("that of the credentials"),
    "RFC 8707: the resource that the token is for")
  static let scopes = SettingDeclaration(
    "scopes",
    .either([.anyList(Format<String>.scope.type), .text("scopes with spaces between", pattern: #"[^,"\\]*"#)]),
    "what the token allows")
  static let token = SettingDeclaration(
    "token", .section(TokenField.group), default: .value("{ header: Authorization, scheme: Bearer }"),
    "where the token goes")
  static let tokenEndpoint = SettingDeclaration(
    "token_endpoint", .list(Format<LocalTokenEndpoint>.localTokenEndpoint.type),
    "where applications can request a token and get a placeholder from the proxy")
  static let withoutToken = Declared(
    "without_token", Format<WithoutToken>.choice(), default: .value("refuse"),
    "what happens to a request while there is no token")
  static let replayUnauthorized = Declared(
    "replay_unauthorized", .onOff, default: .value("on"),
    "whether a request that gets 401 is retried once with a new token")

  // Who may use it, and for what.
  static let allow = SettingDeclaration(
    "allow", .list(Format<IPNetwork>.network.type), default: .described("all clients of the listener"),
    "the clients that may use the route; others get 403")
  static let callers = SettingDeclaration(
    "callers", .list(Format<String>.name.type), default: .described("all clients, known or not"),
    "the [callers](#callers) that may use the route; others get 407 or 403")
  static let methods = SettingDeclaration(
    "methods", .list(Format<String>.method.type), default: .described("all"),
    "the methods that are forwarded, exactly as written; others get 405")
  static let paths = SettingDeclaration(
    "paths", .list(Format<String>.pathPrefix.type), default: .described("all"),
    "the allowed beginnings of paths, up to the end of a segment; others get 403")
  static let pathsIgnoreCase = Declared(
    "paths_ignore_case", .truth, default: .described("that of the top level"),
    "whether the upstream ignores the case of paths")

  // How requests are forwarded.
  static let body = Declared(
    "body", .bodySize, default: .described("`limits.body`"), "the maximum body of a request; more: 413")
  static let replayBuffer = Declared(
    "replay_buffer", .replayBuffer, default: .described("`limits.replay_buffer`"),
    "how much of a request's body is kept for a retry")
  static let throttled = SettingDeclaration(
    "throttled", .section(Throttling.group),
    "whether a request that gets 429 or 503 waits and is retried; see [throttled](#throttled)")
  static let clientShare = Declared(
    "client_share", .clientShare, default: .described("`limits.client_share`"),
    "the part of the upstream's connections that one client may use for requests of this route")
  static let concurrency = SettingDeclaration(
    "concurrency", .either([.number(1...100_000), .section(Concurrency.group)]), default: .described("no limit"),
    "how many requests may be in progress at once; further ones wait; see [concurrency](#concurrency)")
  // RequestSettings has more.
  static let timeouts = SettingDeclaration(
    "timeouts", .section(Timeouts.groupOfRoute), default: .described("those of the proxy"),
    "`body`, `token`, `connect`, `first_byte`, `total` and `tunnel` of [timeouts](#timeouts)")

  static let accessLog = Declared(
    "access_log", .accessLogging, default: .described("`log.access`"),
    "which requests get a line in the access log; as [log.access](#the-access-log)")

  // How the upstream is reached.
  static let upstream = SettingDeclaration(
    "upstream", .section(UpstreamSettings.group), default: .described("that of the top level"),
    "how connections to the upstream are made and kept; see [upstream](#upstream)")
  static let clientCertificate = SettingDeclaration(
    "client_certificate", .section(CertificateFiles.group),
    "the client certificate for the upstream; see [client_certificate](#client_certificate)")
  static let tlsTruncation = Declared(
    "tls_truncation", Format<TLSTruncation>.choice(), default: .value("reject"),
    "whether a response without a length may end without close_notify of TLS")
  static let parentProxy = SettingDeclaration(
    "parent_proxy", ParentProxySettings.type, default: .described("that of the top level"),
    "the HTTP proxy through which the upstream is reached")
  static let tls = SettingDeclaration(
    "tls", .section(TrustSettings.group), default: .described("that of the top level"),
    "the authorities that verify the upstream; see [tls](#tls)")

  /// What an item of `routes` may have.
  static let group = SettingGroup(
    "route", "Which requests are forwarded, where to, and with which token.",
    [
      name.declaration, match, mount.declaration, tunnel.declaration, forwardTo.declaration, allowPrivate.declaration,
      credentials, audience.declaration, resource, scopes, token, tokenEndpoint, withoutToken.declaration,
      replayUnauthorized.declaration, allow, callers, methods, paths, pathsIgnoreCase.declaration, body.declaration,
      replayBuffer.declaration, throttled, clientShare.declaration, concurrency,
    ] + RequestSettings.fields.map(\.declaration) + [
      timeouts, upstream, accessLog.declaration, clientCertificate, tls, tlsTruncation.declaration, parentProxy,
    ], need: .anyOf([match, mount.declaration]))
}
