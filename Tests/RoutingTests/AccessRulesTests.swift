import Addresses
import Configuration
import Testing

@testable import Routing

@Suite("The rules of a route")
struct AccessRulesTests {
  private func rules(_ change: (inout RouteRules) -> Void = { _ in }) -> AccessRules {
    var rules = RouteRules()
    change(&rules)
    return AccessRules(rules)
  }

  private func isAllowed(_ rules: AccessRules, _ path: [UInt8]) -> Bool {
    if case .allowed = rules.rule(on: path.span) { true } else { false }
  }

  @Test("forbid nothing where there are none")
  func none() {
    let method = Array("BREW".utf8)
    let path = Array("/../x".utf8)
    #expect(rules().admits(nil) && rules().admits(IPAddress("10.0.0.1")))
    #expect(rules().allows(method: method.span) && isAllowed(rules(), path))
  }

  @Test("admit the addresses of the list, and no client whose address is unknown")
  func clients() throws {
    let address = try #require(IPAddress("10.0.0.0"))
    let network = try #require(IPNetwork(address, prefixLength: 8))
    let rules = rules { $0.allow = [network] }
    #expect(rules.admits(IPAddress("10.9.9.9")) && rules.admits(IPAddress("::ffff:10.9.9.9")))
    #expect(!rules.admits(IPAddress("11.0.0.1")) && !rules.admits(IPAddress("::1")) && !rules.admits(nil))
  }

  @Test(
    "compare methods byte by byte",
    arguments: [("GET", true), ("POST", true), ("get", false), ("GETS", false), ("GE", false), ("HEAD", false)])
  func methods(method: String, isAllowed: Bool) {
    let rules = rules { $0.methods = ["GET", "POST"] }
    let bytes = Array(method.utf8)
    #expect(rules.allows(method: bytes.span) == isAllowed)
    #expect(rules.allowedMethods == "GET, POST")
  }

  @Test("know the fields that replace a method or a path, however they are written")
  func overrideFields() {
    func part(_ name: String) -> OverrideField? {
      let bytes = Array(name.utf8)
      return OverrideField(bytes.span)
    }
    for name in [
      "X-HTTP-Method-Override", "x-http-method", "X-METHOD-OVERRIDE", "X_Http-Method_override", "X-Original-Method",
      "X_FORWARDED_METHOD",
    ] { #expect(part(name) == .method) }
    for name in [
      "SCRIPT_NAME", "script-name", "X-Script-Name", "PATH_INFO", "Path-Info", "path.info", "REQUEST_URI",
      "Request-Uri",
      "X-HTTP-DestinationURL", "X-Accel-Mapping", "Destination-Account", "X-Copy-From-Account",
      "x_symlink_target_account", "X-Object-Manifest",
    ] { #expect(part(name) == .path, "\(name)") }
    for name in ["X-Original-URL", "x_rewrite_url", "X-Original-Uri", "X_Forwarded_Uri", "x-envoy-original-path"] {
      #expect(part(name) == .original, "\(name)")
    }
    #expect(part("X-Forwarded-Path") == .forwardedPath)
    for name in [
      "X-Forwarded-Prefix", "X_FORWARDED_PREFIX", "X-Ingress-Path", "X-ProxyContextPath", "x-forwarded-context",
    ] { #expect(part(name) == .prefix) }
    #expect(part("Destination") == .destination && part("destinatioN") == .destination)
    for name in [
      "x-ms-copy-source", "X-Amz-Copy-Source", "x_goog_copy_source", "x-ms-rename-source", "x-oss-copy-source",
    ] {
      #expect(part(name) == .source)
    }
    for name in [
      "X-Copy-From", "X-Symlink-Target", "x-oss-symlink-target", "X-Versions-Location", "X_History_Location",
    ] { #expect(part(name) == .accountSource) }
    for name in [
      "X-HTTP-Method-Overrid", "X-HTTP-Method-Overrides", "HTTP-Method-Override", "X", "", "Y-HTTP-Method",
      "Xcopy-source",
      "Path-Inf", "Path-Infos", "Script-Nam", "X-Forwarded-For", "X-Forwarded-Host", "x-ms-copy-source-if-match",
      "x-amz-copy-source-range", "Destinations", "Request-Id", "X-Request-ID", "User-Agent", "Accept-Encoding",
      "X--------", "Destination-Accounts", "X-Forwarded-Paths", "X-Copy-From-Accoun",
    ] { #expect(part(name) == nil, "\(name)") }
  }

  @Test(
    "hold for what such a field says",
    arguments: [
      ("GET", true), ("get", true), ("Post", true), ("DELETE", false), ("", false), ("GET, POST", false),
      ("GETS", false),
      ("GE\u{14}", false),
    ])
  func overrides(value: String, isAllowed: Bool) {
    let bytes = Array(value.utf8)
    let methods = rules { $0.methods = ["GET", "POST"] }
    #expect(methods.allows(.method, value: bytes.span) == isAllowed && methods.allows(.path, value: bytes.span))
    #expect(methods.canBeOverridden && methods.allowsOne(.method) && !methods.allowsOne(.destination))
    let paths = rules { $0.paths = ["/v1/"] }
    #expect(paths.allows(.method, value: bytes.span) && !paths.allows(.path, value: bytes.span))
    #expect(
      paths.canBeOverridden && !paths.allowsOne(.method) && paths.allowsOne(.destination) && !rules().canBeOverridden)
  }

  enum Ruling {
    case allowed, denied, ambiguous
  }

  @Test(
    "allow paths that are below a prefix in every reading",
    arguments: [
      ("/v1/", .allowed), ("/v1/orders", .allowed), ("/v1/a/../b", .allowed), ("/v1/a%2Fb;c=d", .allowed),
      ("/health", .allowed), ("/health/live", .allowed), ("/health/../v1/", .allowed), ("/v1", .denied),
      ("/v10", .denied), ("/V1/", .denied), ("/healthy", .denied), ("/", .denied), ("/v1/../admin", .denied),
      ("/v1/%2e%2e/admin", .denied), ("/v1/a/../../v10/b", .denied), ("*", .denied),
      ("/v1/a%252fb/../../admin", .denied),
      ("/v1/..;/admin", .ambiguous), ("/v1/a/..%2f../admin", .ambiguous), ("/v1/..\\admin", .ambiguous),
      ("/v1//../../admin", .denied), ("/health%2Flive", .ambiguous), ("/x/../v1/", .ambiguous), ("//v1/", .ambiguous),
      ("/%761/", .ambiguous), ("/health;v=1", .ambiguous), ("/health%23", .ambiguous),
    ] as [(String, Ruling)])
  func paths(path: String, expected: Ruling) {
    let rules = rules { $0.paths = ["/v1/", "/health"] }
    let bytes = Array(path.utf8)
    switch rules.rule(on: bytes.span) {
    case .allowed: #expect(expected == .allowed)
    case .denied: #expect(expected == .denied)
    case .ambiguous: #expect(expected == .ambiguous)
    }
  }

  @Test(
    "with an encoded slash are not left by dot segments that some servers count otherwise",
    arguments: [
      ("/projects/g%2Fa/x", true), ("/projects/g%2Fa", true), ("/projects/g%2Fa/x/../y", true),
      ("/projects/g%2Fa/../a/x", false), ("/projects/g%2Fa/x/../../b/x", false), ("/projects/a/x", false),
      ("/projects/g/a/x", false), ("/api/queues/%2F/orders", true), ("/api/queues/%2F/../queues/secret", false),
      ("/api/queues/vh/secret", false),
    ])
  func encodedSlashes(path: String, isAllowed: Bool) {
    let rules = rules { $0.paths = ["/projects/g%2Fa", "/projects/g%2Fb", "/api/queues/%2F/", "/api/overview"] }
    let bytes = Array(path.utf8)
    if case .allowed = rules.rule(on: bytes.span) { #expect(isAllowed) } else { #expect(!isAllowed) }
  }

  @Test("distinguish the case of paths unless the upstream ignores it")
  func caseOfPaths() {
    var allow = RouteRules()
    allow.paths = ["/v1/", "/health"]
    let rules = AccessRules(allow, ignoresPathCase: true)
    #expect(isAllowed(rules, Array("/v1/Orders".utf8)))
    guard case .ambiguous = rules.rule(on: Array("/Health".utf8).span) else {
      Issue.record("/Health is in the list for one server and not for another")
      return
    }
  }

  @Test("refuse fields that replace the path where the path decides about the route")
  func chosenByPath() {
    let value = Array("/x".utf8)
    let rules = AccessRules(RouteRules(), isChosenByPath: true)
    #expect(!rules.allows(.path, value: value.span) && rules.allows(.method, value: value.span))
    #expect(rules.canBeOverridden && isAllowed(rules, value))
  }
}
