public import Cryptography
internal import Glibc
import Secrets

/// An application that the proxy knows by name, and how it is identified: any one of these is enough.
public struct Caller: Sendable, Hashable {
  /// The name, which is also the user of its password; letters, digits, `.`, `_` and `-`, at most 64.
  public var name: String
  /// The hash of its password.
  public var password: PasswordHash?
  /// The name in its certificate.
  public var certificate: CertificateName?
  /// The user as which it connects to a Unix socket.
  public var uid: UInt32?

  /// A caller that nothing identifies yet.
  public init(name: String, password: PasswordHash? = nil, certificate: CertificateName? = nil, uid: UInt32? = nil) {
    self.name = name
    self.password = password
    self.certificate = certificate
    self.uid = uid
  }
}

/// Which callers a listener serves.
public enum CallerRule: Sendable, Hashable {
  /// All known callers.
  case known
  /// These: indices into ``ProxyConfiguration/callers``.
  case oneOf([Int])
}

extension CallerRule {
  private static var anyKnown: String { "required" }

  /// Reads `callers` of a listener: `required`, or names. Nil after a problem was reported.
  static func read(_ setting: Setting, _ callers: CallersTable) -> CallerRule? {
    guard setting.written == anyKnown else { return callers.indices(setting).map { .oneOf($0) } }
    guard !callers.names.isEmpty else {
      setting.complain("is \(anyKnown), and no callers are defined")
      return nil
    }
    return .known
  }
}

/// The section `callers` as routes and listeners refer to it.
struct CallersTable {
  /// Words in the place of a caller's name that mean something else.
  static let reserved = ["default", "none", "required"]

  /// Every defined name, even if its entry has problems.
  private(set) var names: [String] = []
  /// The valid ones, in the order of the file.
  private(set) var callers: [Caller] = []

  private var marks: [String: Mark] = [:]
  private var certificates: [CertificateName: String] = [:]
  private var uids: [UInt32: String] = [:]

  /// What a mapping in `callers` may have.
  static let group = SettingGroup(
    "caller", "An application that the proxy knows by name; any one of these settings identifies it.",
    [password, certificate.declaration, uid.declaration],
    need: .anyOf([password, certificate.declaration, uid.declaration]))

  private static let password = SettingDeclaration(
    "password", SecretForm.type, "the hash of its password, as `m2m-proxy hash-password` prints it")
  private static let certificate = Declared(
    "certificate", .certificateName, "the name in the client's certificate on a TLS listener")
  private static let uid = Declared("uid", .uid, "the user of the process that connects to a Unix socket")

  /// Reads the section `callers` of the file.
  static func read(_ top: Section) -> CallersTable {
    top[TopSettings.callers]?.section(of: nil) { section in
      var table = CallersTable()
      for (name, mark, setting) in section.all {
        guard let complaint = complaint(about: name) else {
          table.names.append(name)
          table.marks[name] = mark
          let expected = "a caller, which is a mapping of settings"
          if let caller = setting.section(of: group, expected: expected, { table.read(name, $0) }) {
            table.callers.append(caller)
          }
          continue
        }
        section.findings.problem(mark, path: section.path, "\(displayed(name)) \(complaint)")
      }
      return table
    } ?? CallersTable()
  }

  private static func complaint(about name: String) -> String? {
    if name.contains(":") { return "has a colon, which no user name can have (RFC 7617)" }
    if reserved.contains(name) { return "means something else where callers are named; choose another name" }
    return Format<String>.isName(name) ? nil : "must be \(Format<String>.name.expected)"
  }

  private mutating func read(_ name: String, _ section: Section) -> Caller? {
    let (password, certificate) = (section[Self.password], section[Self.certificate])
    let uid = section[Self.uid]
    if password == nil, certificate == nil, uid == nil {
      section.complain("has nothing that identifies it; it needs password, certificate or uid")
      return nil
    }
    var caller = Caller(name: name)
    caller.password = password.flatMap(PasswordSetting.read)
    caller.certificate = section.value(Self.certificate)
    caller.uid = section.value(Self.uid)
    if let name = caller.certificate { claim(name, in: \.certificates, certificate) }
    if let number = caller.uid { claim(number, in: \.uids, uid) }
    return caller
  }

  private mutating func claim<Key: Hashable>(
    _ key: Key, in claims: WritableKeyPath<CallersTable, [Key: String]>, _ setting: Setting?
  ) {
    if let owner = self[keyPath: claims][key] {
      setting?.complain("is that of \(owner) already, and identifies one caller only")
    } else {
      self[keyPath: claims][key] = setting?.path
    }
  }

  /// The callers in `setting`, as indices into ``callers``; nil after a problem was reported.
  func indices(_ setting: Setting) -> [Int]? {
    guard let items = setting.items("the name of a caller") else { return nil }
    var indices: [Int] = []
    for item in items {
      guard let name = item.value(.name), isDefined(name, item) else { return nil }
      guard let index = index(of: name) else { continue }
      if indices.contains(index) { item.complain("is \(displayed(name)), which is in the list already") }
      indices.append(index)
    }
    return indices
  }

  /// Whether `name`, used in `setting`, is a caller's; reports a problem otherwise.
  func isDefined(_ name: String, _ setting: Setting) -> Bool {
    guard !names.contains(name) else { return true }
    let defined = names.isEmpty ? "nothing" : names.joined(separator: ", ")
    setting.complain("names \(displayed(name)), which is not defined; defined: \(defined)")
    return false
  }

  /// The index of `name` in ``callers``; nil if it is not defined or not valid.
  func index(of name: String) -> Int? {
    callers.firstIndex { $0.name == name }
  }

  /// Whether a password is the only thing that identifies any of those at `indices`.
  func haveOnlyPasswords(_ indices: some Sequence<Int>) -> Bool {
    indices.allSatisfy { callers[$0].certificate == nil && callers[$0].uid == nil }
  }

  /// Warns about callers that none of `listeners` can identify.
  func warnOfUnknowable(at listeners: [ListenerSettings], _ findings: Findings) {
    let asksForCertificates = listeners.contains { $0.tls?.clientCAFile != nil }
    let hasUsers = listeners.contains { $0.address.tcp == nil }
    for caller in callers where caller.password == nil {
      guard let mark = marks[caller.name], caller.certificate == nil || !asksForCertificates,
        caller.uid == nil || !hasUsers
      else { continue }
      let missing = [
        caller.certificate == nil ? nil : "no listener requests client certificates (tls with client_ca)",
        caller.uid == nil ? nil : "no listener is a Unix socket",
      ]
      findings.warning(
        mark, about: "callers.\(caller.name)",
        "can never be identified: \(missing.compactMap(\.self).joined(separator: ", and "))")
    }
  }

  /// Whether one of them has a password.
  var havePasswords: Bool { callers.contains { $0.password != nil } }

  /// Warns about callers that none of `routes` and `listeners` names.
  func warnOfUnused(by routes: [Route], _ listeners: [ListenerSettings], _ findings: Findings) {
    var used = Set(routes.flatMap { $0.rules.callers ?? [] })
    for route in routes {
      if case .byCaller(let table, _) = route.credentials { used.formUnion(table.keys) }
    }
    for listener in listeners {
      switch listener.callers {
      case .known: return
      case .oneOf(let indices): used.formUnion(indices)
      case nil: break
      }
    }
    for (index, caller) in callers.enumerated() where !used.contains(index) {
      guard let mark = marks[caller.name] else { continue }
      findings.warning(mark, about: "callers.\(caller.name)", "is not used by any route or listener")
    }
  }
}

/// The setting `password` of a caller, which is a hash. No message shows its value: it may be a password.
enum PasswordSetting {
  // Below this, an attacker with proxy.conf can try thousands of passwords a second.
  private static let leastLogN = 14

  /// The hash; nil after a problem was reported.
  static func read(_ setting: Setting) -> PasswordHash? {
    guard let (text, _) = ClientSecretSetting.read(setting, warnsOfText: false) else { return nil }
    let hash = text.withBytes { bytes in PasswordHash(String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self))
    }
    guard let hash else {
      setting.complain("must be a hash of the password, as \"m2m-proxy hash-password\" makes it, not anything else")
      return nil
    }
    if hash.cost.logN < leastLogN {
      setting.warn(
        "is weak (ln=\(hash.cost.logN)): guessing its password is cheap; \"m2m-proxy hash-password\" makes stronger ones"
      )
    }
    return hash
  }
}

extension Format<CertificateName> {
  /// A subject, or one of the alternative names of a certificate.
  static var certificateName: Self {
    Format(
      "a subject such as \"CN=erp,O=Example\", or dns:NAME, uri:URI or email:ADDRESS",
      .text(
        "subject, `dns:NAME`, `uri:URI` or `email:ADDRESS`",
        pattern: Patterns.certificateName)
    ) { text throws(Refusal) in
      for (prefix, name) in kinds where text.hasPrefix(prefix) {
        return try name(String(text.dropFirst(prefix.count)))
      }
      guard let subject = DistinguishedName(text) else {
        throw Refusal("openssl x509 -noout -subject -nameopt RFC2253 shows it as it is written here")
      }
      return .subject(subject)
    }
  }

  private static var kinds: [(String, (String) throws(Refusal) -> CertificateName)] {
    [
      (
        "dns:",
        { text throws(Refusal) in
          let name = try HostName(written: text)
          guard name.address == nil else { throw Refusal("a name, not an address") }
          return .dns(name.text)
        }
      ),
      (
        "uri:",
        { text throws(Refusal) in
          guard text.contains(":") else { throw Refusal("a URI has a scheme, such as spiffe://example/erp") }
          return .uri(text)
        }
      ),
      (
        "email:",
        { text throws(Refusal) in
          guard text.contains("@") else { throw Refusal("an address has an @") }
          return .email(text)
        }
      ),
    ]
  }
}

extension Format<UInt32> {
  /// A user id, or the name of a user on this machine.
  static var uid: Self {
    Format(
      "a user id such as 1001, or the name of a user",
      .text(
        "number or name of a user", pattern: Patterns.user,
        numbers: 0...4_294_967_294)
    ) { text throws(Refusal) in
      // To the kernel, the last number means "no user".
      if let number = wholeNumber(text) {
        guard number < Int(UInt32.max) else { throw Refusal() }
        return UInt32(number)
      }
      guard !text.isEmpty, let uid = uid(of: text) else { throw Refusal("this machine has no user of that name") }
      return uid
    }
  }

  private static func uid(of name: String) -> UInt32? {
    var entry = unsafe passwd()
    var found: UnsafeMutablePointer<passwd>?
    var buffer = [CChar](repeating: 0, count: 16 * 1024)
    guard unsafe getpwnam_r(name, &entry, &buffer, buffer.count, &found) == 0, unsafe found != nil else { return nil }
    return unsafe entry.pw_uid
  }
}
