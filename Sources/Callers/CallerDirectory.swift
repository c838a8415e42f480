public import Configuration
internal import Cryptography

/// The callers of proxy.conf, and how requests are attributed to them.
public final class CallerDirectory: Sendable {
  /// Their names, by number.
  public let names: [String]
  /// Checks passwords; nil if no caller has one.
  public let passwords: PasswordVerifier?
  private let hasPassword: [Bool]
  private let uids: [UInt32: Int]
  private let certificates: [CertificateName: Int]

  /// The directory of `callers`, whose passwords `passwords` checks.
  public init(_ callers: [Caller], passwords: PasswordVerifier?) {
    names = callers.map(\.name)
    self.passwords = passwords
    hasPassword = callers.map { $0.password != nil }
    var uids: [UInt32: Int] = [:]
    var certificates: [CertificateName: Int] = [:]
    for (index, caller) in callers.enumerated() {
      if let uid = caller.uid { uids[uid] = index }
      if let certificate = caller.certificate { certificates[certificate] = index }
    }
    self.uids = uids
    self.certificates = certificates
  }

  deinit { passwords?.stop() }

  /// Whether a caller that `access` admits has a password.
  public func takesPasswords(_ access: CallerAccess) -> Bool {
    access.admitted.map { $0.contains { hasPassword[$0] } } ?? hasPassword.contains(true)
  }

  /// The caller that runs as this user, on a Unix socket.
  public func caller(uid: UInt32) -> Int? { uids[uid] }

  /// The caller whose certificate has one of these names: first the subject, then the others in order.
  public func caller(subject: String, dnsNames: [String], uris: [String], emails: [String]) -> Int? {
    guard !certificates.isEmpty else { return nil }
    if let subject = DistinguishedName(subject), let caller = certificates[.subject(subject)] { return caller }
    for name in dnsNames { if let caller = certificates[.dns(name.lowercased())] { return caller } }
    for name in uris { if let caller = certificates[.uri(name)] { return caller } }
    for name in emails { if let caller = certificates[.email(name)] { return caller } }
    return nil
  }
}

/// Which callers a route or a listener serves.
public struct CallerAccess: Sendable {
  /// The callers, by their numbers; nil for all callers of proxy.conf.
  let admitted: [Int]?
  /// Whether unknown clients are served.
  public let admitsStrangers: Bool

  /// The rule of a listener, which names callers of `directory`, in the numbers of `other`.
  public init(_ rule: CallerRule, of directory: CallerDirectory? = nil, in other: CallerDirectory? = nil) {
    admitsStrangers = false
    guard case .oneOf(let callers) = rule else {
      admitted = nil
      return
    }
    guard let directory, let other, directory !== other else {
      admitted = callers
      return
    }
    admitted = callers.compactMap { other.names.firstIndex(of: directory.names[$0]) }
  }

  /// The rule of `route`; nil if any caller may use the route.
  public init?(_ route: Route) {
    switch (route.rules.callers, route.credentials) {
    case (nil, .noToken), (nil, .same): return nil
    case (let callers?, _):
      admitted = callers
      admitsStrangers = false
    case (nil, .byCaller(let table, let others)):
      admitted = others == nil ? table.keys.sorted() : nil
      admitsStrangers = others != nil
    }
  }

  /// Whether this caller is served.
  public func admits(_ caller: Int) -> Bool { admitted?.contains(caller) ?? true }
}
