public import Cryptography
internal import Glibc

/// The Unix socket at which a process takes commands.
public enum ControlPlace: Sendable, Hashable {
  /// With a file at this path.
  case file(String)
  /// With this name in the abstract namespace, without a file (unix(7)).
  case abstract(String)

  /// Parses `text`: a path, or `@` and a name, optionally with the prefix `unix:`.
  public init(_ text: String) {
    let text = text.hasPrefix("unix:") ? String(text.dropFirst("unix:".count)) : text
    self = text.hasPrefix("@") ? .abstract(String(text.dropFirst())) : .file(text)
  }

  /// The name for system calls of CLinux.
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
  /// Where a process with the configuration file `configuration` takes commands by default: the first of these places at which
  /// it can create a socket. Its commands try them in the same order.
  ///
  /// The file's path is part of the name, so that several processes on one machine stay apart. The directory is resolved, but
  /// not the file's own name: Kubernetes and editors replace the file, or the link at its path.
  ///
  /// - Parameters:
  ///   - configuration: the path from the command line, or `-`.
  ///   - environment: RUNTIME_DIRECTORY (systemd) and XDG_RUNTIME_DIR are used.
  ///   - user: the user of this process.
  public static func usual(
    configuration: String, environment: [String: String], user: UInt32 = thisUser
  ) throws(CryptographyError) -> [ControlPlace] {
    let mark = try mark(of: configuration)
    // systemd separates several directories by colons (systemd.exec(5)).
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

  /// Where packages put the proxy's sockets.
  static let standardDirectory = "/run/m2m-proxy"

  /// Eight hexadecimal digits that identify the configuration file.
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
