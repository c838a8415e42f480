internal import Configuration
internal import Cryptography
internal import Interception

/// The callers of proxy.conf, and what tells one from another.
final class CallerDirectory: Sendable {
  /// Their names, by number.
  let names: [String]
  /// Whose password it is; nil where nobody has one.
  let passwords: PasswordVerifier?
  private let hasPassword: [Bool]
  private let uids: [UInt32: Int]
  private let certificates: [CertificateName: Int]

  init(_ callers: [Caller], passwords: PasswordVerifier?) {
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

  /// Whether a password could let somebody in.
  func takesPasswords(_ access: CallerAccess) -> Bool {
    access.admitted.map { $0.contains { hasPassword[$0] } } ?? hasPassword.contains(true)
  }

  /// Who has shown this certificate, or else comes to a Unix socket as this user.
  func caller(of peer: PeerCredentials) -> Int? {
    if let certificate = peer.certificate,
      let caller = caller(
        subject: certificate.subject, dnsNames: certificate.dnsNames, uris: certificate.uris,
        emails: certificate.emails)
    {
      return caller
    }
    return peer.uid.flatMap { uids[$0] }
  }

  /// Whose certificate has one of these names: the subject first, then the others in their order.
  func caller(subject: String, dnsNames: [String], uris: [String], emails: [String]) -> Int? {
    guard !certificates.isEmpty else { return nil }
    if let subject = DistinguishedName(subject), let caller = certificates[.subject(subject)] { return caller }
    for name in dnsNames { if let caller = certificates[.dns(name.lowercased())] { return caller } }
    for name in uris { if let caller = certificates[.uri(name)] { return caller } }
    for name in emails { if let caller = certificates[.email(name)] { return caller } }
    return nil
  }
}

/// Which callers a route or a listener serves, as requests meet it.
struct CallerAccess: Sendable {
  /// The callers, by their numbers; nil for all that are known.
  let admitted: [Int]?
  /// Whether requests are served of which nobody knows who sent them.
  let admitsStrangers: Bool

  /// What a listener says.
  init(_ rule: CallerRule) {
    admitted = if case .oneOf(let callers) = rule { callers } else { nil }
    admitsStrangers = false
  }

  /// What `route` says; nil where it is the same to it who calls.
  init?(_ route: Route) {
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
  func admits(_ caller: Int) -> Bool { admitted?.contains(caller) ?? true }
}
