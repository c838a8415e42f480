internal import Encodings
public import Secrets

/// Where a running proxy takes commands.
public enum ControlSetting: Sendable, Hashable {
  /// On a Unix socket that the proxy and its commands find without a setting.
  case automatic
  /// On the Unix socket at this path.
  case path(String)
  /// Nowhere.
  case off
}

extension ControlSetting {
  static let declared = Declared(
    SettingDeclaration(
      "control", .orOff(.text("path")),
      default: .described("found by itself"),
      "the Unix socket for [commands](operations.md#commands-for-a-running-proxy)", change: .restart),
    format)

  private static let expected = "the path of a Unix socket such as /run/m2m-proxy/control.sock, or off"

  private static let format = Format<ControlSetting>(expected, .orOff(.text("path"))) { text throws(Refusal) in
    switch text {
    case "off", "false": return .off
    case "": throw Refusal()
    case _ where text.hasPrefix("unix:"):
      throw Refusal("the path alone is enough: it is never anything but a Unix socket")
    case _ where text.hasPrefix("@"):
      throw Refusal("a socket without a file is what the proxy takes by itself where it must")
    case _ where text.hasSuffix("/"): throw Refusal("the name of the socket is missing")
    case _ where text.utf8.contains(where: \.isControl): throw Refusal("it must be a single line")
    default: return .path(text)
    }
  }

  /// Reads `control`; a relative path counts from proxy.conf's directory.
  static func read(_ top: Section) -> ControlSetting {
    guard let setting = top[declared], let value = setting.value(declared.format) else { return .automatic }
    guard case .path(let written) = value else { return value }
    let path = setting.findings.resolve(path: written)
    guard path.utf8.count <= ListenAddress.longestPath else {
      setting.complain(
        """
        is a path of \(path.utf8.count) bytes, and the system has room for \(ListenAddress.longestPath) in the name of a \
        socket; choose a shorter one, such as /run/m2m-proxy/control.sock
        """)
      return .automatic
    }
    return .path(path)
  }
}

extension ConfigurationLoader {
  /// The setting `control` alone, whatever else is wrong with the file: a command that looks for a running proxy must find it
  /// also where the file was edited and is broken now. Nil where the file cannot be read, or is no YAML.
  public static func control(path: String, environment: Environment) -> ControlSetting? {
    guard let bytes = try? read(.file(path: path)) else { return nil }
    let findings = Findings(file: path, environment: environment, runsPrograms: false)
    guard let root = TreeBuilder.tree(bytes, findings: findings) else { return nil }
    return Setting(node: root, path: "", findings: findings).section(of: TopSettings.group) { ControlSetting.read($0) }
  }
}
