internal import Configuration
internal import Glibc
internal import Locks
internal import Logging
internal import ProxyCore
internal import Telemetry

/// The log, standard output and standard error of a serving proxy. Each output has a thread that writes, and nothing
/// else ever waits for it: a pipe whose reader has stopped, or a full disk, must stop neither requests nor the end of
/// the process.
final class ServiceOutput: Sendable {
  /// The lines of the access log and the event log.
  let log: LogSink
  /// How these lines are written.
  let style: LogStyle
  /// The log of everything except requests.
  let events: EventLog
  /// Lines for standard error, if the log does not go to the same file.
  private let messages: LogSink
  private let destination: Monitor<Destination>

  /// How long the end of the process waits for readers.
  private static let patience = Duration.seconds(2)
  /// The part of that for the last line, if it does not go the same way as the log.
  private static let patienceForLastLine = Duration.milliseconds(500)

  /// Opens the output that `settings` name, and starts the threads.
  ///
  /// - Throws: why the output cannot be opened.
  init(_ settings: LogSettings) throws(LogOutputError) {
    let destination = Destination(settings)
    let style = LogStyle(format: settings.lineFormat, level: settings.leastLevel)
    let messages = LogSink(descriptor: STDERR_FILENO)
    let log = LogSink(try destination.open(), style: style, onTrouble: destination.onTrouble(messages))
    self.destination = Monitor(destination)
    (self.log, self.style, self.messages) = (log, style, messages)
    events = EventLog(Logger(label: "m2m-proxy") { _ in EventLogHandler(sink: log, style: style) })
  }

  /// How many lines have been lost, by reason.
  var lostLines: [LogLoss: UInt64] { log.lostLines.merging(messages.lostLines, uniquingKeysWith: +) }

  /// Queues `text` and a line's end for standard error.
  func say(_ text: String) { sink(for: destination.withLock { $0 }).write(Array("\(text)\n".utf8).span) }

  // One thread for both, so that lines of one never end up within lines of the other.
  private func sink(for destination: Destination) -> LogSink { destination.isStandardError ? log : messages }

  // MARK: Changes

  /// An output that is open, and settings that are to be applied.
  struct Prepared {
    fileprivate let settings: LogSettings
    fileprivate let destination: Destination
    /// Nil if the output stays as it is.
    fileprivate let target: LogTarget?
  }

  /// Opens what `settings` need, and changes nothing.
  ///
  /// - Throws: why the output cannot be opened.
  func prepare(_ settings: LogSettings) throws(LogOutputError) -> Prepared {
    let next = Destination(settings)
    let isSame = next == destination.withLock { $0 }
    return Prepared(settings: settings, destination: next, target: isSame ? nil : try next.open())
  }

  /// Applies `prepared`, and returns at once. Lines that are being written to the earlier output still go there.
  ///
  /// - Throws: why the output cannot be changed; nothing has changed then.
  func apply(_ prepared: Prepared) throws(LogOutputError) {
    if let target = prepared.target {
      try log.redirect(to: target, onTrouble: prepared.destination.onTrouble(messages))
      destination.withLock { $0 = prepared.destination }
    }
    style.format = prepared.settings.lineFormat
  }

  /// Applies `settings`; if their output cannot be opened, changes nothing.
  ///
  /// - Throws: why the output cannot be opened.
  func reconfigure(_ settings: LogSettings) throws(LogOutputError) {
    try apply(try prepare(settings))
  }

  /// The operations of the log that the proxy uses.
  var actions: LogActions {
    LogActions(
      reopen: { [self] in reopenLogs($0) },
      prepare: { [self] settings throws(LogOutputError) in
        let prepared = try prepare(settings)
        return { [self] in
          do throws(LogOutputError) { try apply(prepared) } catch {
            events.warning(
              .log, [.error: "cannot_reopen", .detail: "\(error)", .hint: "lines still go to the earlier output"])
          }
        }
      })
  }

  /// Opens the log file again, and logs that. Never waits; `done` is called on the writer's thread with nil, or with
  /// why it could not be opened.
  func reopenLogs(_ done: @escaping @Sendable (String?) -> Void = { _ in }) {
    let destination = destination.withLock { $0 }
    guard destination.isReopened else {
      events.notice(.log, [.detail: "standard output cannot be opened again; nothing was done"])
      return done(nil)
    }
    log.reopen { [self] problem in
      if let problem {
        events.warning(
          .log,
          [
            .error: "cannot_reopen", .detail: "\(problem)",
            .hint: "lines still go to the output that was open before; make the file one that the proxy can open",
          ])
      } else {
        events.notice(.log, [.detail: "\(destination.text) was opened again"])
      }
      done(problem)
    }
  }

  // MARK: The end

  /// Writes what is left, then `lastLine`, within 2 s at most. Anything not written by then is lost.
  func finish(saying lastLine: String) {
    if sink(for: destination.withLock { $0 }) === log {
      say(lastLine)
      log.finish(within: Self.patience)
      return
    }
    let started = ContinuousClock.now
    log.finish(within: Self.patience - Self.patienceForLastLine)
    let lost = lostLines
    let count = lost.values.reduce(0, +)
    let reasons = LogLoss.allCases.filter { lost[$0] != nil }.map(\.meaning).joined(separator: "; ")
    say(lost.isEmpty ? lastLine : "\(lastLine); \(count) \(count == 1 ? "line" : "lines") of output lost: \(reasons)")
    messages.finish(within: Self.patience - (ContinuousClock.now - started))
  }
}

/// Where the log goes.
private enum Destination: Hashable, Sendable {
  case standardOutput
  case file(String)
  case syslog(SyslogAddress)

  init(_ settings: LogSettings) {
    if let path = settings.file {
      self = .file(path)
    } else if let syslog = settings.syslog {
      self = .syslog(
        SyslogAddress(socket: syslog.socket, facility: syslog.facility.number, tag: syslog.tag))
    } else {
      self = .standardOutput
    }
  }

  func open() throws(LogOutputError) -> LogTarget {
    switch self {
    case .standardOutput: .descriptor(STDOUT_FILENO)
    case .file(let path): try .file(path)
    case .syslog(let address): .syslog(address)
    }
  }

  /// Reports on standard error that the log cannot be written.
  func onTrouble(_ messages: LogSink) -> (@Sendable (String) -> Void)? {
    guard isReopened else { return nil }
    return { problem in
      messages.write(Array("log: \(problem); lines wait, and those beyond 4 MB are lost\n".utf8).span)
    }
  }

  /// Whether it can be opened again.
  var isReopened: Bool { self != .standardOutput }

  /// Whether it is the same file as standard error.
  var isStandardError: Bool { self == .standardOutput && Self.isSameFile(STDOUT_FILENO, STDERR_FILENO) }

  /// Its name for people.
  var text: String {
    switch self {
    case .standardOutput: "standard output"
    case .file(let path): path
    case .syslog(let address): address.socket
    }
  }

  private static func isSameFile(_ one: Int32, _ other: Int32) -> Bool {
    var (first, second) = (stat(), stat())
    guard unsafe fstat(one, &first) == 0, unsafe fstat(other, &second) == 0 else { return false }
    return first.st_dev == second.st_dev && first.st_ino == second.st_ino
  }
}

extension LogSettings {
  fileprivate var lineFormat: LogFormat { format == .json ? .json : .logfmt }
  fileprivate var leastLevel: Logger.Level { Logger.Level(rawValue: level.rawValue) ?? .info }
}
