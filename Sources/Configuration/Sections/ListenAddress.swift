internal import Encodings
import Glibc

/// The address of a listener.
public enum ListenAddress: Sendable, Hashable {
  /// An IP address and port.
  case tcp(TCPAddress)
  /// A Unix socket, by its path.
  case unix(path: String)
  /// Sockets that systemd has bound and passes: those with this name, or all that no other listener names.
  case systemd(name: String?)

  /// The IP address `host`, without brackets, and `port`.
  public init(host: String, port: UInt16) {
    self = .tcp(TCPAddress(host: host, port: port))
  }

  /// The default listener: 127.0.0.1:8080.
  public static let defaultListen = ListenAddress(host: "127.0.0.1", port: 8080)

  /// The maximum length of a Unix socket's path in bytes: the kernel has no more room (unix(7)).
  public static let longestPath = 107

  /// Whether only programs on this machine can reach it for certain.
  public var isLocal: Bool {
    switch self {
    case .tcp(let address): address.isLoopback
    case .unix: true
    case .systemd: false
    }
  }

  /// The IP address and port, if it is one.
  public var tcp: TCPAddress? {
    if case .tcp(let address) = self { address } else { nil }
  }
}

extension ListenAddress: CustomStringConvertible {
  /// As written in proxy.conf: `127.0.0.1:8080`, `unix:/run/m2m-proxy/m2m-proxy.sock`, `systemd:web`.
  public var description: String {
    switch self {
    case .tcp(let address): "\(address)"
    case .unix(let path): "unix:\(path)"
    case .systemd(let name): name.map { "systemd:\($0)" } ?? "systemd"
    }
  }
}

extension ListenAddress {
  /// Reads `listen` and `admin`.
  static func read(_ top: Section, callers: CallersTable) -> (listen: [ListenerSettings], admin: TCPAddress?) {
    var claims: [ListenAddress: String] = [:]
    let listen =
      top[TopSettings.listen].map { readListen($0, callers, &claims) } ?? [ListenerSettings(address: .defaultListen)]
    if listen.map(\.address) == [.defaultListen] { claims[.defaultListen] = "listen" }
    guard let setting = top[TopSettings.admin] else {
      if let path = claims[.tcp(.defaultAdmin)], let clash = top[TopSettings.listen] {
        clash.findings.problem(
          clash.mark, about: path, "is \(TCPAddress.defaultAdmin), where admin is unless it is set to another or off")
      }
      return (listen, .defaultAdmin)
    }
    guard let admin = setting.value(.tcpAddressOrOff) else { return (listen, nil) }
    if let admin { ListenAddress.tcp(admin).claim(setting, &claims) }
    return (listen, admin)
  }

  private static func readListen(
    _ setting: Setting, _ callers: CallersTable, _ claims: inout [ListenAddress: String]
  ) -> [ListenerSettings] {
    if case .mapping = setting.node.content {
      return [ListenerSettings.read(setting, callers, &claims)].compactMap(\.self)
    }
    guard let items = setting.items(Format<ListenAddress>.listenAddress.expected) else { return [] }
    return items.compactMap { ListenerSettings.read($0, callers, &claims) }
  }

  /// Reads an address; nil after a problem was reported. A relative path counts from proxy.conf's directory.
  static func read(_ setting: Setting) -> ListenAddress? {
    guard let address = setting.value(Format<ListenAddress>.listenAddress) else { return nil }
    guard case .unix(let written) = address else { return address }
    let path = setting.findings.resolve(path: written)
    guard path.utf8.count <= longestPath else {
      setting.complain(
        """
        is a path of \(path.utf8.count) bytes, and the system has room for \(longestPath) in the name of a socket; \
        choose a shorter one, such as unix:/run/m2m-proxy/m2m-proxy.sock
        """)
      return nil
    }
    return .unix(path: path)
  }

  /// Reports a problem if `claims` has the address already. Port 0 is a different port each time.
  func claim(_ setting: Setting, _ claims: inout [ListenAddress: String]) {
    guard tcp?.port != 0 else { return }
    if let other = claims[self] {
      setting.complain("is \(self), which is already the address of \(other)")
    } else {
      claims[self] = setting.path
    }
  }
}

extension Format<ListenAddress> {
  /// A ``Format/tcpAddress``, `unix:/path`, `systemd` or `systemd:NAME`.
  static var listenAddress: Self {
    let tcp = Format<TCPAddress>.tcpAddress
    return Format(
      tcp.expected,
      .text("listen address", pattern: Patterns.listener, numbers: 0...65535)
    ) { text throws(Refusal) in
      if text.hasPrefix("unix:") { return .unix(path: try path(text.dropFirst("unix:".count))) }
      if text == "systemd" { return .systemd(name: nil) }
      if text.hasPrefix("systemd:") { return .systemd(name: try name(text.dropFirst("systemd:".count))) }
      guard !text.hasPrefix("/") else { throw Refusal("a Unix socket is written unix:\(shownPath(text))") }
      return .tcp(try tcp.read(text))
    }
  }

  /// `text`, if it can be the path of a socket; other text may be all the rest of the file.
  private static func shownPath(_ text: String) -> String {
    guard text.utf8.count < 108, let path = try? path(text[...]) else { return "/path" }
    return path
  }

  private static func path(_ text: Substring) throws(Refusal) -> String {
    guard !text.isEmpty, !text.hasSuffix("/") else { throw Refusal("the path of the socket is missing") }
    guard !text.hasPrefix("@"), !text.utf8.contains(0) else {
      throw Refusal("a socket without a file has no permissions: any user could use it")
    }
    guard !text.hasPrefix("//") else { throw Refusal("one slash is enough: unix:/path") }
    guard !text.utf8.contains(where: \.isControl) else { throw Refusal("it must be a single line") }
    return String(text)
  }

  /// The possible values of FileDescriptorName in a .socket unit (systemd.socket(5)).
  private static func name(_ text: Substring) throws(Refusal) -> String {
    let isName = !text.utf8.contains { $0.isControl || $0 >= 0x7F || $0 == UInt8(ascii: ":") }
    guard !text.isEmpty, text.utf8.count <= 255, isName else {
      throw Refusal("systemd:NAME has the FileDescriptorName of the .socket unit")
    }
    return String(text)
  }
}

/// Who may use a Unix socket: the users with write access to its file.
public struct SocketPermissions: Sendable, Hashable {
  /// The permission bits of the file.
  public var mode: UInt32
  /// The owner; nil for the proxy's own user.
  public var owner: UInt32?
  /// The group; nil for the one that new files get.
  public var group: UInt32?

  /// Permissions of these parts; by default only the proxy's own user may use the socket.
  public init(mode: UInt32 = 0o600, owner: UInt32? = nil, group: UInt32? = nil) {
    self.mode = mode
    self.owner = owner
    self.group = group
  }
}

extension SocketPermissions {
  /// The settings for the file of a Unix socket.
  static let declarations = [modeSetting.declaration, ownerSetting.declaration, groupSetting.declaration]

  private static let modeSetting = Declared(
    "mode", .fileMode, default: .value("0600"),
    "*Unix socket*: the permissions of its file")
  private static let ownerSetting = Declared(
    "owner", .line("the name or number of a user", .text("name or number")), default: .described("the proxy's own"),
    "*Unix socket*: the owner of its file")
  private static let groupSetting = Declared(
    "group", .line("the name or number of a group", .text("name or number")), default: .described("the proxy's own"),
    "*Unix socket*: the group of its file")

  /// Reads them from a listener's section.
  static func read(_ section: Section) -> SocketPermissions {
    var permissions = SocketPermissions()
    if let mode = section.value(modeSetting) { permissions.mode = mode }
    permissions.owner = section[ownerSetting].flatMap { identifier($0, ownerSetting.format, "user", of: user) }
    permissions.group = section[groupSetting].flatMap { identifier($0, groupSetting.format, "group", of: group) }
    return permissions
  }

  /// The id of the user or group in `setting`; nil after a problem was reported.
  private static func identifier(
    _ setting: Setting, _ format: Format<String>, _ kind: String, of name: (String) -> UInt32?
  ) -> UInt32? {
    guard let text = setting.value(format) else { return nil }
    // To chown, the highest number means "unchanged".
    if let number = wholeNumber(text), let id = UInt32(exactly: number), id != .max { return id }
    guard let id = name(text) else {
      setting.complain("names the \(kind) \(displayed(text)), which this machine does not know")
      return nil
    }
    return id
  }

  private static func user(_ name: String) -> UInt32? {
    guard let entry = unsafe getpwnam(name) else { return nil }
    return unsafe entry.pointee.pw_uid
  }

  private static func group(_ name: String) -> UInt32? {
    guard let entry = unsafe getgrnam(name) else { return nil }
    return unsafe entry.pointee.gr_gid
  }
}

extension Format<UInt32> {
  /// The mode of a socket in the form of chmod: `0660`.
  static var fileMode: Self {
    Format(
      "permissions in octal such as 0660", .text("octal", pattern: "0?(?![0145]{3}$)[0-7]{3}", numbers: 2...777),
      written: { "0" + String($0, radix: 8) }
    ) { text throws(Refusal) in
      let isOctal = text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) }
      guard isOctal, (3...4).contains(text.utf8.count), let mode = UInt32(text, radix: 8) else { throw Refusal() }
      guard mode <= 0o777 else { throw Refusal("three digits, for the owner, the group and all others") }
      guard mode & 0o222 != 0 else { throw Refusal("clients need permission to write (2) to connect") }
      return mode
    }
  }
}

/// The hosts and ports that have routes for requests, and those that have tunnels. None may have both, since requests that need
/// a token could bypass it.
struct ClaimedPorts {
  private struct Host: Hashable {
    var name: String
    var isWildcard: Bool
  }

  private struct Claims {
    var requests: [(port: UInt16?, owner: String)] = []
    var tunnels: [(port: UInt16, owner: String)] = []
  }

  private var hosts: [Host: Claims] = [:]

  /// Records that the setting `owner` has `match`. If a match of the other kind takes the same port, returns that one and
  /// records nothing.
  mutating func claim(_ match: Match, isTunnel: Bool, owner: String) -> String? {
    let host = Host(name: match.host, isWildcard: match.isWildcard)
    var claims = hosts[host] ?? Claims()
    if isTunnel {
      let port = match.tunnelPort
      if let other = claims.requests.first(where: { Match.port($0.port, takes: port) }) { return other.owner }
      claims.tunnels.append((port, owner))
    } else {
      if let other = claims.tunnels.first(where: { Match.port(match.port, takes: $0.port) }) { return other.owner }
      claims.requests.append((match.port, owner))
    }
    hosts[host] = claims
    return nil
  }
}
