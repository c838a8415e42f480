/// The section `credentials` as routes refer to it.
struct CredentialsTable {
  /// What a route writes to go without a token.
  static let none = "none"

  /// Every name that is defined, whether or not the rest of it is right.
  private(set) var names: [String] = []
  /// Those that are right, in the order of the file.
  private(set) var credentials: [Credentials] = []

  private var marks: [String: Mark] = [:]

  /// Reads the section `credentials` of the file.
  static func read(_ top: Section, parentProxy: ParentProxy?) -> CredentialsTable {
    top.section("credentials") { section in
      var table = CredentialsTable()
      for (name, mark, setting) in section.all {
        guard Format<String>.isName(name), name != none else {
          let complaint =
            name == none ? "means without a token; choose another name" : "must be \(Format<String>.name.expected)"
          section.findings.problem(mark, path: section.path, "\(displayed(name)) \(complaint)")
          continue
        }
        table.names.append(name)
        table.marks[name] = mark
        if let credentials = setting.section({ Credentials.read(name: name, $0, parentProxy: parentProxy) }) {
          table.credentials.append(credentials)
        }
      }
      return table
    } ?? CredentialsTable()
  }

  /// The place of `name` in ``credentials``; nil when it is not defined or not right.
  func index(of name: String) -> Int? {
    credentials.firstIndex { $0.name == name }
  }

  /// Warns of credentials that none of `routes` uses.
  func warnOfUnused(by routes: [Route], _ findings: Findings) {
    let used = Set(routes.flatMap(\.credentials.all))
    for (index, credentials) in credentials.enumerated() where !used.contains(index) {
      guard let mark = marks[credentials.name] else { continue }
      findings.warning(mark, about: "credentials.\(credentials.name)", "is used by no route")
    }
  }
}
