internal import Reactor
internal import SystemPackage

/// Why the proxy did not start.
public struct StartError: Error, CustomStringConvertible {
  /// Each reason, as a sentence.
  public let reasons: [String]

  /// The reasons for the person at the terminal, one per line.
  public var description: String { reasons.joined(separator: "\nm2m-proxy: ") }

  init(_ reason: String) { reasons = [reason] }

  /// The reasons of all `errors`.
  init(_ errors: [StartError]) { reasons = errors.flatMap(\.reasons) }

  /// The same error, with the setting that caused it.
  func of(_ setting: String) -> StartError { StartError("\(setting): \(description)") }

  static func bind(_ address: String, _ errno: Errno) -> StartError {
    switch errno {
    case .addressInUse:
      StartError("\(address) is in use: another program, or another m2m-proxy, listens there.")
    case .addressNotAvailable:
      StartError("\(address) is not an address of this machine.")
    case .permissionDenied, .notPermitted:
      StartError("\(address) may not be bound by this user; ports below 1024 need CAP_NET_BIND_SERVICE.")
    default:
      StartError("\(address) cannot be bound: \(errno).")
    }
  }
  static func bind(path: String, _ error: SocketFileError) -> StartError {
    switch error {
    case .inUse:
      StartError("unix:\(path) is in use: another program, or another m2m-proxy, listens there.")
    case .beingReplaced:
      StartError("unix:\(path) cannot be made: another program holds a lock on its directory; start one at a time.")
    case .notASocket:
      StartError("\(path) exists and is not a socket, so it is not replaced. Remove it, or choose another path.")
    case .directory(let directory, .noSuchFileOrDirectory):
      StartError(
        "unix:\(path) cannot be made: there is no directory \(directory). Make it; with systemd, RuntimeDirectory= "
          + "of the unit does that.")
    case .directory(let directory, let errno):
      StartError("unix:\(path) cannot be made: the directory \(directory) cannot be opened: \(errno).")
    case .permissions(let errno):
      StartError(
        "owner, group or mode of unix:\(path) cannot be set: \(errno). Only root may give a file away, and the group "
          + "must be one of those of the proxy's user.")
    case .system(.permissionDenied), .system(.notPermitted), .system(.readOnlyFileSystem):
      StartError("unix:\(path) cannot be made: this user may not write to its directory.")
    case .system(let errno):
      StartError("unix:\(path) cannot be made: \(errno).")
    }
  }

  static func passed(_ name: String, _ error: InheritedSocketError) -> StartError {
    let reason =
      switch error {
      case .notASocket: "is no socket"
      case .notAStream: "is not for streams; the .socket unit must say ListenStream="
      case .notListening: "does not listen; the .socket unit must say Accept=no, which is the default"
      case .unknownFamily: "is neither an IP nor a Unix socket"
      }
    return StartError("The socket \(name), which systemd passed, \(reason).")
  }
}
