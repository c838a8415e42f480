internal import Encodings

/// Independent settings for the requests of a route, which the phases use as they are.
///
/// To add one, add a property and its field; its phase finds it at `route.policy.requests`.
public struct RequestSettings: Sendable, Equatable {
  /// The protocols to which its connections may switch.
  public var upgrade = UpgradeRules.any
  /// In which responses links to the upstream become links to the proxy.
  public var linkRewriting = LinkRewriting.auto
  /// What happens to interim responses.
  public var interim = InterimResponses.forward
  /// Whether requests get a Via field.
  public var hasVia = true
  /// Whether the proxy sends their identifier to the upstream.
  public var requestID = RequestIDForwarding.off

  /// The defaults.
  public init() {}
}

extension RequestSettings {
  /// Their fields, in the order of the reference.
  static let fields: [Field<RequestSettings>] = [
    Field(UpgradeRules.declaration, \.upgrade, read: UpgradeRules.read),
    Field(
      "rewrite_links", \.linkRewriting, .choice(), in: RequestSettings(),
      "in which responses links to the upstream become links to the proxy"),
    Field(
      "interim", \.interim, .choice(), in: RequestSettings(),
      "whether interim responses except 100 and 101 reach the client; `drop` is for clients that fail at 102 and 103"),
    Field(
      "via", \.hasVia, .onOff, in: RequestSettings(),
      "whether requests carry `Via`, which detects loops; `off` if it keeps an upstream from compressing"),
    Field(
      "request_id", \.requestID, .choice(), in: RequestSettings(),
      "`forward` sends `X-Request-Id` to the upstream, with the identifier that the log has as `request_id`"),
  ]
}

/// How requests are retried that the API rejects because there are too many: how long a wait is acceptable, and how often.
public struct Throttling: Sendable, Hashable {
  /// The longest wait that is accepted from the API.
  public var wait: Duration = .seconds(10)
  /// The number of retries.
  public var attempts = 1

  /// One retry, after at most ten seconds.
  public init() {}
}

extension Throttling {
  /// The section `throttled` of a route.
  static let group = SettingGroup(
    "throttled", "Requests that the upstream throttles wait and are retried.", fields.map(\.declaration))

  private static let fields: [Field<Throttling>] = [
    Field("wait", \.wait, .duration, in: Throttling(), "the longest wait that the upstream may ask for"),
    Field("attempts", \.attempts, .count(1...10), in: Throttling(), "how often a request is retried"),
  ]

  /// Reads the section `throttled` of a route.
  static func read(_ section: Section) -> Throttling {
    var throttling = Throttling()
    section.read(fields, into: &throttling)
    return throttling
  }
}

/// How many requests of a route the API gets at once, all event loops together.
public struct Concurrency: Sendable, Hashable {
  /// Requests in progress.
  public var requests: Int
  /// Requests that may wait.
  public var queue = 100
  /// The longest wait of a request.
  public var wait: Duration = .seconds(30)
  /// The share that one client may have; nil for all of them.
  public var clientShare: ClientShare?

  /// At most `requests` at once, with the default queue.
  public init(requests: Int) {
    self.requests = requests
  }
}

extension Concurrency {
  /// The mapping `concurrency` of a route.
  static let group = SettingGroup(
    "concurrency", "Requests of the route that are in progress at once.",
    [requests.declaration] + fields.map(\.declaration))

  private static let requests = Declared(
    "requests", .count(1...100_000), default: .required,
    "requests in progress, from before the wait for a token to the last byte of the response")
  private static let fields: [Field<Concurrency>] = [
    field("queue", \.queue, .count(0...100_000), "requests that may wait; more: 503"),
    field("wait", \.wait, .duration, "the longest that a request waits; then 503"),
    field("client_share", \.clientShare, .clientShare, "the part of `requests` that one client may have in progress"),
  ]

  private static func field<Value: Sendable>(
    _ name: String, _ property: any WritableKeyPath<Concurrency, Value> & Sendable, _ format: Format<Value>,
    _ summary: String
  ) -> Field<Concurrency> {
    Field(name, property, format, in: Concurrency(requests: 1), summary)
  }

  /// Reads `concurrency` of a route: a number, or a mapping. Nil after a problem was reported.
  static func read(_ setting: Setting) -> Concurrency? {
    let format = requests.format
    if setting.written != nil { return setting.value(format).map(Concurrency.init) }
    let expected = "\(format.expected), or a mapping with requests, queue, wait and client_share"
    return setting.section(of: group, expected: expected) { section in
      let number = section.required(requests)
      var concurrency = Concurrency(requests: number ?? 1)
      section.read(fields, into: &concurrency)
      return number == nil ? nil : concurrency
    }
  }
}

/// When a request is retried after a response, and how much of it is kept for that.
public struct ReplayRules: Sendable, Hashable {
  /// Whether a request that got 401 is retried with a new token.
  public var unauthorized = true
  /// How a throttled request is retried; nil for not at all.
  public var throttled: Throttling?
  /// Bytes of a request's body that are kept; a request with a larger body is not retried. 0 for none.
  public var buffer = 64 * 1024

  /// The defaults.
  public init() {}
}

extension ReplayRules {
  /// Reads `replay_unauthorized`, `replay_buffer` and `throttled` of a route, over what is set for the whole proxy.
  static func read(_ section: Section, limits: Limits, hasToken: Bool) -> ReplayRules {
    var rules = ReplayRules()
    rules.buffer = limits.replayBuffer
    let unauthorized = section[RouteSettings.replayUnauthorized]
    if hasToken, let value = unauthorized?.value(.onOff) { rules.unauthorized = value }
    if !hasToken { unauthorized?.complain("is for a token, but with credentials: none there is no token") }
    if let buffer = section.value(RouteSettings.replayBuffer) { rules.buffer = buffer }
    rules.throttled = section.section(RouteSettings.throttled, Throttling.read)
    return rules
  }
}

extension Format<Int> {
  /// How much of a request's body is kept: at most one buffer.
  static var replayBuffer: Self { .size(0...64 * 1024) }
}

/// The protocols to which connections of a route may switch, if a request has Upgrade and the upstream agrees.
public enum UpgradeRules: Sendable, Equatable {
  /// None: requests are forwarded without Upgrade.
  case off
  /// All but HTTP and TLS, which the proxy speaks on each side by itself.
  case any
  /// These, in lower case; one without a version matches every version.
  case listed([String])

  /// Whether this protocol may be offered: a name, or a name and a version.
  public func allows(_ name: String) -> Bool {
    switch self {
    case .off: return false
    case .any: return true
    case .listed(let names):
      let name = name.lowercased()
      return names.contains { $0 == name || (!$0.contains("/") && name.hasPrefix($0 + "/")) }
    }
  }
}

extension UpgradeRules {
  static let declaration = SettingDeclaration(
    "upgrade", .either([.choice(["any", "off"]), .list(Format<String>.upgradeProtocol.type)]), default: .value("any"),
    "the protocols to which a request may ask to switch; see [Upgrade](#upgrade)")

  /// Reads `upgrade` of a route.
  static func read(_ setting: Setting) -> UpgradeRules {
    switch setting.written {
    case "any": return .any
    case "off": return .off
    default: return .listed(setting.distinct(.upgradeProtocol) ?? [])
    }
  }
}

extension Format<String> {
  /// A protocol to which a connection may switch (RFC 9110 section 7.8), in lower case.
  static var upgradeProtocol: Self {
    Format(
      "any, off, or a protocol such as websocket",
      .text(
        "protocol",
        pattern: Patterns.upgradeProtocol)
    ) { text throws(Refusal) in
      guard text != "any", text != "off" else { throw Refusal("\(text) cannot be in a list") }
      let parts = text.split(separator: "/", omittingEmptySubsequences: false)
      guard text.utf8.count <= 64, parts.count <= 2, parts.allSatisfy(isToken) else { throw Refusal() }
      let name = parts[0].lowercased()
      if ["http", "h2c", "h2"].contains(name) { throw Refusal("the proxy speaks HTTP/1.1 with each side for itself") }
      if name == "tls" { throw Refusal("whether there is TLS is up to the listener and to forward_to") }
      return text.lowercased()
    }
  }

  private static func isToken(_ text: Substring) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy { $0.isLetter || $0.isDigit || "!#$%&'*+-.^_`|~".utf8.contains($0) }
  }
}

/// What happens to a route's requests while there is no token.
public enum WithoutToken: String, Sendable, CaseIterable {
  /// They get an error response with the reason.
  case refuse
  /// They are forwarded without one.
  case forward
}

extension WithoutToken {
  /// Reads `without_token` of a route.
  static func read(_ section: Section, hasToken: Bool) -> WithoutToken {
    guard let setting = section[RouteSettings.withoutToken] else { return .refuse }
    if hasToken { return setting.value(.choice()) ?? .refuse }
    setting.complain("is for a token, but with credentials: none there is no token")
    return .refuse
  }
}

/// What happens to requests that a browser sends for a web page.
public enum BrowserRequests: String, Sendable, CaseIterable {
  /// They are served like any other.
  case allow
  /// They are rejected: the page may come from any site.
  case refuse
}

/// In which responses links to the upstream become links to the proxy.
public enum LinkRewriting: String, Sendable, CaseIterable {
  /// Responses to clients that use the proxy as a base URL. Other clients already use the upstream's own name.
  case auto
  /// All responses.
  case on
  /// None.
  case off
}

/// What happens to interim responses (1xx) of a route's upstream, except 100, for which a client may wait, and 101.
public enum InterimResponses: String, Sendable, CaseIterable {
  /// They are forwarded to the client, as RFC 9110 requires of proxies.
  case forward
  /// They are dropped: some old clients take one for the final response.
  case drop
}

/// Whether the upstream is told the identifier of a request.
public enum RequestIDForwarding: String, Sendable, CaseIterable {
  /// It gets what the client has sent, if anything.
  case off
  /// It gets one `X-Request-Id`: the client's if that is plain, else one that the proxy has made.
  case forward
}

/// How a route serves CONNECT.
public enum TunnelMode: String, Sendable, CaseIterable {
  /// Bytes are forwarded unchanged in both directions; the proxy reads and adds nothing. Such a route serves nothing else.
  case blind
  /// TLS, or plain HTTP, ends at the proxy, and the requests inside are handled like all others.
  case intercept
}
