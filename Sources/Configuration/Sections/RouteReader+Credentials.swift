extension RouteReader {
  private static var others: String { "default" }

  /// Reads `credentials` of a route: a name, or a mapping from callers to names. Nil after a problem was reported.
  func readCredentials(_ setting: Setting?, _ section: Section, _ rules: RouteRules) -> CredentialsChoice? {
    guard let setting else { return onlyCredentials(section) }
    guard case .mapping = setting.node.content else { return readName(setting) }
    return setting.section(of: nil) { readByCaller($0, setting, rules) }
  }

  private func onlyCredentials(_ section: Section) -> CredentialsChoice? {
    guard table.names.count != 1 else { return table.index(of: table.names[0]).map { .same($0) } }
    let choice = table.names.isEmpty ? "no credentials are defined" : "defined: \(table.names.joined(separator: ", "))"
    section.missing(RouteSettings.credentials, "\(choice); \"credentials: none\" forwards without a token")
    return nil
  }

  private func readName(_ setting: Setting) -> CredentialsChoice? {
    guard let name = setting.value(.name) else { return nil }
    if name == CredentialsTable.none { return .noToken }
    return isDefined(name, setting) ? table.index(of: name).map { .same($0) } : nil
  }

  private func isDefined(_ name: String, _ setting: Setting) -> Bool {
    guard !table.names.contains(name) else { return true }
    let defined = table.names.isEmpty ? "nothing" : table.names.joined(separator: ", ")
    setting.complain("names \(displayed(name)), which is not defined; defined: \(defined)")
    return false
  }

  private func readByCaller(_ section: Section, _ setting: Setting, _ rules: RouteRules) -> CredentialsChoice? {
    var choice: [Int: Int] = [:]
    var others: Int?
    var isRight = true
    for (caller, mark, value) in section.all {
      let index = callers.index(of: caller)
      if caller != Self.others, !callers.names.contains(caller) {
        let known = (callers.names + [Self.others]).joined(separator: ", ")
        section.findings.problem(
          mark, about: setting.path, "has \(displayed(caller)), which is not a caller; known: \(known)")
        isRight = false
      } else if let index, rules.callers?.contains(index) == false {
        value.complain("is for a caller that \"callers\" of the route does not let in")
        isRight = false
      }
      guard let name = value.value(.name), isUsable(name, value), let credentials = table.index(of: name) else {
        isRight = false
        continue
      }
      if caller == Self.others { others = credentials } else if let index { choice[index] = credentials }
    }
    guard isRight, !choice.isEmpty else {
      if isRight { setting.complain("names no caller; one for all is written as credentials: NAME") }
      return nil
    }
    for index in rules.callers ?? [] where others == nil && choice[index] == nil {
      setting.complain("has nothing for \(callers.callers[index].name), which \"callers\" lets in; or add default")
      isRight = false
    }
    return isRight ? .byCaller(choice, others: others) : nil
  }

  private func isUsable(_ name: String, _ setting: Setting) -> Bool {
    guard name != CredentialsTable.none else {
      setting.complain("must name credentials: a route adds a token to all its requests, or to none")
      return false
    }
    return isDefined(name, setting)
  }

  /// Warns about a route for base-URL clients only, none of which can be identified.
  func warnIfUnreachable(
    _ section: Section, _ matching: Matching, _ rules: RouteRules, _ credentials: CredentialsChoice
  ) {
    guard matching.matches.isEmpty else { return }
    var admitted = rules.callers
    if case .byCaller(let table, others: nil) = credentials { admitted = admitted ?? table.keys.sorted() }
    guard let admitted, callers.haveOnlyPasswords(admitted),
      let setting = section[RouteSettings.callers] ?? section[RouteSettings.credentials]
    else { return }
    setting.warn(
      """
      names callers with passwords only, which base-URL clients cannot send to a proxy; \
      give the route a match, or the callers a certificate or a uid
      """)
  }
}
