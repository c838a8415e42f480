/// The section `callers` as routes and listeners refer to it.
struct CallersTable {
  /// What stands in the place of a caller's name and means something else.
  static let reserved: Set = ["default", "none", "required"]

  /// Every name that is defined, whether or not the rest of it is right.
  private(set) var names: [String] = []
  /// Those that are right, in the order of the file.
  private(set) var callers: [Caller] = []

  private var marks: [String: Mark] = [:]
  private var certificates: [CertificateName: String] = [:]
  private var uids: [UInt32: String] = [:]

  /// Reads the section `callers` of the file.
  static func read(_ top: Section) -> CallersTable {
    top.section("callers") { section in
      var table = CallersTable()
      for (name, mark, setting) in section.all {
        guard let complaint = complaint(about: name) else {
          table.names.append(name)
          table.marks[name] = mark
          if let caller = setting.section(
            expected: "a caller, which is a mapping of settings", { table.read(name, $0) })
          {
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
    let (password, certificate, uid) = (section["password"], section["certificate"], section["uid"])
    if password == nil, certificate == nil, uid == nil {
      section.complain("has nothing that identifies it; it needs password, certificate or uid")
      return nil
    }
    var caller = Caller(name: name)
    caller.password = password.flatMap(PasswordSetting.read)
    caller.certificate = certificate?.value(.certificateName)
    caller.uid = uid?.value(.uid)
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

  /// The callers that `setting` names, by their place in ``callers``; nil after a problem was noted.
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

  /// Whether `name`, which `setting` has, is that of a caller; otherwise a problem is noted.
  func isDefined(_ name: String, _ setting: Setting) -> Bool {
    guard !names.contains(name) else { return true }
    let defined = names.isEmpty ? "nothing" : names.joined(separator: ", ")
    setting.complain("names \(displayed(name)), which is not defined; defined: \(defined)")
    return false
  }

  /// The place of `name` in ``callers``; nil when it is not defined or not right.
  func index(of name: String) -> Int? {
    callers.firstIndex { $0.name == name }
  }

  /// Whether a password is the only thing that identifies any of those at `indices`.
  func haveOnlyPasswords(_ indices: some Sequence<Int>) -> Bool {
    indices.allSatisfy { callers[$0].certificate == nil && callers[$0].uid == nil }
  }

  /// Warns of callers that none of `listeners` can tell from others.
  func warnOfUnknowable(at listeners: [ListenerSettings], _ findings: Findings) {
    let asksForCertificates = listeners.contains { $0.tls?.clientCAFile != nil }
    let hasUsers = listeners.contains { $0.address.tcp == nil }
    for caller in callers where caller.password == nil {
      guard let mark = marks[caller.name], caller.certificate == nil || !asksForCertificates,
        caller.uid == nil || !hasUsers
      else { continue }
      let missing = [
        caller.certificate == nil ? nil : "no listener asks for certificates (tls with client_ca)",
        caller.uid == nil ? nil : "no listener is a Unix socket",
      ]
      findings.warning(
        mark, about: "callers.\(caller.name)",
        "is never known: \(missing.compactMap(\.self).joined(separator: ", and "))")
    }
  }

  /// Whether one of them has a password.
  var havePasswords: Bool { callers.contains { $0.password != nil } }

  /// Warns of callers that none of `routes` and `listeners` means.
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
      findings.warning(mark, about: "callers.\(caller.name)", "is named by no route and no listener")
    }
  }
}
