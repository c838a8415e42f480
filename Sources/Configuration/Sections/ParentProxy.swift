internal import Encodings
internal import Outbound
internal import Secrets

/// The settings of `parent_proxy` as a mapping.
enum ParentProxySettings {
  static let url = Declared(
    "url", .parentProxy("a URL such as http://proxy.example:3128"), default: .required, "`http://host:port`")
  static let user = Declared("user", .proxyUser, "the user's name at the proxy")
  static let password = SettingDeclaration("password", SecretForm.type, "the user's password; read at start")

  static let group = SettingGroup(
    "parent_proxy", "An HTTP proxy that connections are made through.", [url.declaration, user.declaration, password])
  static let type = SettingType.either([url.format.type, .word("none"), .section(group)])
}

extension ParentProxy {
  static let expected = "a proxy such as http://proxy.example:3128, { url, user, password }, or none"

  /// Reads the setting `parent_proxy`; without it, the result is `inherited`.
  static func read(_ setting: Setting?, inherited: ParentProxy?) -> ParentProxy? {
    guard let setting else { return inherited }
    guard let written = setting.written else {
      return setting.section(of: ParentProxySettings.group, expected: expected, readParts)
    }
    guard written != "none" else { return nil }
    guard let url = setting.value(.parentProxy(expected)) else { return nil }
    let isLiteral = (try? Substitution(written))?.names.isEmpty ?? true
    if url.credentials != nil, isLiteral {
      setting.warn("has a password written in proxy.conf; { url, user, password: { file: PATH } } is safer")
    }
    return url
  }

  private static func readParts(_ section: Section) -> ParentProxy? {
    typealias Settings = ParentProxySettings
    let url = section[Settings.url]
    let proxy = section.required(Settings.url)
    let user = section[Settings.user]
    let password = section[Settings.password]
    let userText = section.value(Settings.user)
    let secret = password.flatMap { ClientSecretSetting.read($0) }
    guard (user == nil) == (password == nil) else {
      section.complain(user == nil ? "has a password, but no user" : "has a user, but no password")
      return nil
    }
    guard var proxy else { return nil }
    guard user != nil else { return proxy }
    guard proxy.credentials == nil else {
      url?.complain("has a user of its own; one is enough")
      return nil
    }
    guard let userText, let secret = secret?.secret else { return nil }
    let name = Array(userText.utf8) + [UInt8(ascii: ":")]
    proxy.credentials = Secret(count: name.count + secret.count) { bytes in
      for (index, byte) in name.enumerated() { bytes[index] = byte }
      secret.withBytes { secret in
        for index in secret.indices { bytes[name.count + index] = secret[index] }
      }
    }
    return proxy
  }
}

extension Format<ParentProxy> {
  /// `http://host:port`, optionally with `user:password@` before the host.
  static func parentProxy(_ expected: String) -> Self {
    Format(
      expected,
      .text(
        "URL", pattern: Patterns.parentProxy)
    ) { text throws(Refusal) in
      // Any part may be a password here, so none is shown.
      guard let separator = text.place(of: "://") else {
        throw Refusal("it begins with http://", hidesValue: true)
      }
      guard text[..<separator.lowerBound].lowercased() == "http" else {
        throw Refusal("only http:// can be used between here and the proxy", hidesValue: true)
      }
      var rest = text[separator.upperBound...]
      if rest.hasSuffix("/") { rest.removeLast() }
      var credentials: Secret?
      if let at = rest.lastIndex(of: "@") {
        guard let bytes = PercentEncoding.decode(rest[..<at].utf8),
          let decoded = String(validating: bytes, as: UTF8.self), decoded.utf8.contains(UInt8(ascii: ":")),
          !decoded.utf8.contains(where: \.isControl), !decoded.hasPrefix(":")
        else { throw Refusal("the part before the @ must be USER:PASSWORD", hidesValue: true) }
        credentials = Secret(decoded)
        rest = rest[rest.index(after: at)...]
      }
      guard !rest.contains(where: { "/?#".contains($0) }) else {
        throw Refusal("leave out the path; write %2F for a / in a password", hidesValue: true)
      }
      let authority: Authority
      do throws(Refusal) { authority = try Authority(rest) } catch { throw Refusal(error.hint, hidesValue: true) }
      guard let port = authority.port else { throw Refusal("the port is missing", hidesValue: true) }
      return ParentProxy(host: authority.host.text, port: port, credentials: credentials)
    }
  }
}

extension Format<String> {
  /// The user of a proxy; a colon would end it (RFC 7617 section 2).
  static var proxyUser: Self {
    let line = Format.line("the user's name at the proxy")
    return Format(line.expected, line.type) { text throws(Refusal) in
      guard !text.contains(":") else { throw Refusal("without a colon") }
      return try line.read(text)
    }
  }
}
