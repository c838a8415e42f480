public import Cryptography
internal import Glibc

/// Where a process takes commands: a Unix socket.
public enum ControlPlace: Sendable, Hashable {
  /// With a file at this path.
  case file(String)
  /// With this name in the abstract namespace, without a file (unix(7)).
  case abstract(String)

  /// The place that `text` names: a path, or `@` and a name, with `unix:` before it or not.
  public init(_ text: String) {
    let text = text.hasPrefix("unix:") ? String(text.dropFirst("unix:".count)) : text
    self = text.hasPrefix("@") ? .abstract(String(text.dropFirst())) : .file(text)
  }

  /// As system calls of CLinux name it.
  var systemName: String {
    switch self {
    case .file(let path): path
    case .abstract(let name): "@\(name)"
    }
  }
}

extension ControlPlace: CustomStringConvertible {
  /// `unix:/run/m2m-proxy/control-1a2b3c4d.sock`, or `unix:@m2m-proxy-1000-1a2b3c4d`.
  public var description: String { "unix:\(systemName)" }
}

extension ControlPlace {
  /// Where a process with the configuration file `configuration` takes commands unless it is told otherwise: the first of these
  /// that can be made. Its commands look there in the same order.
  ///
  /// The file's path is part of the name, so that several processes of one machine stay apart. Its directory is resolved, and
  /// the file's own name is not: Kubernetes and editors replace the file, or the link that is there, by another one.
  ///
  /// - Parameters:
  ///   - configuration: the path as the command line has it, or `-`.
  ///   - environment: of which RUNTIME_DIRECTORY (systemd) and XDG_RUNTIME_DIR matter.
  ///   - user: the user of this process.
  public static func usual(
    configuration: String, environment: [String: String], user: UInt32 = thisUser
  ) throws(CryptographyError) -> [ControlPlace] {
    let mark = try mark(of: configuration)
    // With several, systemd separates them by colons (systemd.exec(5)).
    let runtime = environment["RUNTIME_DIRECTORY"]?.split(separator: ":").first.map(String.init)
    var directories: [String] = []
    for directory in [runtime, standardDirectory, environment["XDG_RUNTIME_DIR"]].compactMap(\.self)
    where directory.hasPrefix("/") && !directories.contains(directory) { directories.append(directory) }
    return directories.map { .file("\($0)/control-\(mark).sock") } + [.abstract("m2m-proxy-\(user)-\(mark)")]
  }

  /// The environment variables that matter for ``usual(configuration:environment:user:)``.
  public static let variables = ["RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"]

  /// The user of this process.
  public static var thisUser: UInt32 { geteuid() }

  /// Where packages put the sockets of the proxy.
  static let standardDirectory = "/run/m2m-proxy"

  /// Eight hexadecimal digits that tell configuration files apart.
  static func mark(of configuration: String) throws(CryptographyError) -> String {
    let digest = try SHA256.digest(of: Array(absolutePath(of: configuration).utf8).span)
    return digest.prefix(4).map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "0\(digits)" : digits
    }.joined()
  }

  /// The absolute path of the file, with its directory resolved; `-` for standard input.
  public static func absolutePath(of configuration: String) -> String {
    if configuration == "-" { return configuration }
    let slash = configuration.lastIndex(of: "/")
    let name = slash.map { configuration[configuration.index(after: $0)...] } ?? configuration[...]
    let directory = slash.map { $0 == configuration.startIndex ? "/" : String(configuration[..<$0]) } ?? "."
    guard let resolved = unsafe realpath(directory, nil) else { return configuration }
    defer { unsafe free(resolved) }
    let absolute = unsafe String(cString: resolved)
    return absolute == "/" ? "/\(name)" : "\(absolute)/\(name)"
  }
}
