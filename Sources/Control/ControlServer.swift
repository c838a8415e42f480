internal import Encodings
internal import Glibc
internal import HTTPService
internal import HTTPWire
public import Reactor
public import SystemPackage

/// The Unix socket through which commands reach a running process: HTTP/1.1, so that curl can do what the commands do.
///
/// Only processes of the same user and of root may use it, whatever the mode of its file: the kernel says who has connected.
/// See docs/decisions/0017-control-socket.md.
public final class ControlServer: Sendable {
  /// The place of the socket.
  public let place: ControlPlace

  private let service: HTTPService

  // A command is a few dozen bytes, and few are sent at the same time. More connections wait in the kernel's queue.
  private static let limits = ServiceLimits(
    head: HeadLimits(bytes: 8_192, requestLine: 1_024, fields: 32), body: 0, connections: 16, headTimeout: .seconds(5),
    idleTimeout: .seconds(5), bodyTimeout: .seconds(5), transferTimeout: .seconds(30), lingerTimeout: .seconds(1))

  /// Creates the socket at `place`, with mode 0600, and replaces one that no process listens on any more.
  ///
  /// - Parameter loop: whose thread serves it.
  /// - Parameter user: may use it, beside root.
  public convenience init(
    at place: ControlPlace, on loop: EventLoop, user: UInt32 = ControlPlace.thisUser
  ) throws(SocketFileError) {
    self.init(try Self.socket(at: place), at: place, on: loop, user: user)
  }

  /// Takes commands from `socket`, which is at `place`.
  public init(
    _ socket: consuming ListeningSocket, at place: ControlPlace, on loop: EventLoop,
    user: UInt32 = ControlPlace.thisUser
  ) {
    self.place = place
    service = HTTPService(socket, limits: Self.limits, admits: { Self.admits($0, user) }, on: loop)
  }

  /// Starts to take commands. Call it on the loop's thread, or before the loop runs.
  public func start(_ actions: ControlActions) throws(Errno) {
    let pages = ControlPages(actions: actions)
    try service.start { await pages.answer($0) }
  }

  /// Removes the socket. On the loop's thread, or when the loop has ended.
  ///
  /// - Parameter isPassedOn: whether another process takes commands from the same socket from now on.
  public func close(isPassedOn: Bool = false) { service.close(isPassedOn: isPassedOn) }

  /// What another process needs to take commands from the same socket; nil when it is closed. On the loop's thread.
  public func copyListener() throws(Errno) -> ListenerCopy? { try service.copyListener() }

  /// Whether no connection is open. On the loop's thread.
  public var isQuiet: Bool { service.isQuiet }

  /// Has the kernel tell clients that this process is the one that takes commands: it says so of the process that listened last.
  public func claim() { service.claim() }

  static func admits(_ peer: SocketPeer, _ user: UInt32) -> Bool {
    guard case .user(let id) = peer else { return false }
    return id == user || id == 0
  }

  private static func socket(at place: ControlPlace) throws(SocketFileError) -> ListeningSocket {
    switch place {
    case .abstract(let name): return try ListeningSocket(abstract: name)
    case .file(let path):
      // Another process that is starting holds the directory's lock for a moment.
      for _ in 0..<50 {
        do throws(SocketFileError) {
          return try ListeningSocket(path: path, mode: 0o600, owner: nil, group: nil)
        } catch .beingReplaced {
          usleep(10_000)
        }
      }
      throw .beingReplaced
    }
  }
}

/// The responses of the control socket: a value, so that tests need no socket.
struct ControlPages: Sendable {
  let actions: ControlActions

  private static let index = """
    GET  /status                          how the process is, as JSON; /status?text for people
    GET  /healthz                         200 ok, or 503 and why not; ?within=MS: how long loops may take to respond
    POST /drain                           finish what is under way and stop, as SIGTERM
    POST /reload                          load the configuration again
    POST /upgrade?binary=PATH&within=MS   start the program at its path, or at another one, in place of this process
    POST /reopen-logs                     open the files of the log again
    POST /log-level?level=LEVEL&for=10m   change what is logged, for some time or for good
    """

  func answer(_ request: ServiceRequest) async -> ServiceResponse {
    let reads = ["/", "/status", "/healthz"]
    guard reads.contains(request.path) || Self.commands.contains(request.path) else {
      return .text(404, "There is no \(request.path) here. What there is:\n\n\(Self.index)")
    }
    let methods = reads.contains(request.path) ? ["GET", "HEAD"] : ["POST"]
    guard methods.contains(request.method) else { return .methodNotAllowed(allowed: methods) }
    switch request.path {
    case "/status":
      let status = await actions.status()
      if request.query == "text" { return .text(200, status.text) }
      return ServiceResponse(status: 200, type: "application/json", body: Array("\(status.json)\n".utf8))
    case "/healthz": return response(await health(request.query))
    case "/": return .text(200, "m2m-proxy: commands\n\n\(Self.index)")
    default:
      let outcome = await command(request)
      actions.note(String(request.path.dropFirst()), request.peer.map { "\($0)" } ?? "", outcome)
      return response(outcome)
    }
  }

  private static let commands = ["/drain", "/reload", "/upgrade", "/reopen-logs", "/log-level"]

  private func command(_ request: ServiceRequest) async -> ControlOutcome {
    switch request.path {
    case "/drain": return await actions.drain()
    case "/reload": return await actions.reload()
    case "/upgrade": return await upgrade(request)
    case "/reopen-logs": return await actions.reopenLogs()
    default: return await logLevel(request.query)
    }
  }

  private func response(_ outcome: ControlOutcome) -> ServiceResponse {
    // A stored response would show an old state.
    .text(outcome.kind.rawValue, outcome.text, fields: [ServiceField("Cache-Control", "no-store")])
  }

  private func health(_ query: String?) async -> ControlOutcome {
    let parameters = Self.parameters(query)
    guard let text = parameters["within"] else { return await actions.health(.seconds(2)) }
    guard let milliseconds = Int(text), (1...3_600_000).contains(milliseconds) else {
      return ControlOutcome(.misused, "within must be a number of milliseconds from 1 to 3600000.")
    }
    return await actions.health(.milliseconds(milliseconds))
  }

  private func upgrade(_ request: ServiceRequest) async -> ControlOutcome {
    let parameters = Self.parameters(request.query)
    var settings = UpgradeRequest(isFromRoot: request.peer == .user(0))
    if let text = parameters["within"] {
      guard let milliseconds = Int(text), UpgradeRequest.range.contains(milliseconds) else {
        return ControlOutcome(.misused, "within must be a number of milliseconds from 1 to 3600000.")
      }
      settings.patience = .milliseconds(milliseconds)
    }
    if let text = parameters["binary"] {
      guard let bytes = PercentEncoding.decode(text.utf8, plusIsSpace: true),
        let path = String(validating: bytes, as: UTF8.self), path.hasPrefix("/"), !path.utf8.contains(0)
      else {
        return ControlOutcome(.misused, "binary must be an absolute path.")
      }
      settings.binary = path
    }
    return await actions.upgrade(settings)
  }

  private func logLevel(_ query: String?) async -> ControlOutcome {
    let parameters = Self.parameters(query)
    guard let level = parameters["level"] else {
      return ControlOutcome(.misused, "level is missing: /log-level?level=debug, or with &for=10m.")
    }
    guard let text = parameters["for"] else { return await actions.setLogLevel(level, nil) }
    guard let duration = ControlDuration.read(text) else {
      return ControlOutcome(.misused, "for must be \(ControlDuration.expected), not \"\(text)\".")
    }
    return await actions.setLogLevel(level, duration)
  }

  /// The parameters of a query; none of them needs percent-encoding.
  private static func parameters(_ query: String?) -> [String: String] {
    var found: [String: String] = [:]
    for part in (query ?? "").split(separator: "&") {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if pair.count == 2 { found[String(pair[0])] = String(pair[1]) }
    }
    return found
  }
}

/// Durations as commands write them.
public enum ControlDuration {
  /// What is accepted, to follow "must be".
  public static let expected = "a duration from 1s to 24h such as 90s, 10m or 2h"

  /// Parses `text`; nil if it is not a duration, or is out of range.
  public static func read(_ text: String) -> Duration? {
    let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600]
    guard let unit = text.last.flatMap({ units[$0] }), text.count <= 8 else { return nil }
    guard text.dropLast().allSatisfy({ ("0"..."9").contains($0) }), let number = Int(text.dropLast()) else {
      return nil
    }
    let (seconds, overflow) = number.multipliedReportingOverflow(by: unit)
    return !overflow && (1...86_400).contains(seconds) ? .seconds(seconds) : nil
  }
}
