extension WithoutToken {
  /// Reads `without_token` of a route.
  static func read(_ section: Section, hasToken: Bool) -> WithoutToken {
    guard let setting = section["without_token"] else { return .refuse }
    if hasToken { return setting.value(.choice()) ?? .refuse }
    setting.complain("is for a token, and credentials: none means without one")
    return .refuse
  }
}
