internal import Bytes
internal import HTTPWire
internal import Reactor

/// Whether a client is fast enough: it may fall behind its minimum rate by some time. A client that stays below that
/// rate falls behind further and further, however short its pauses are.
struct ClientPace {
  /// By how many nanoseconds the waits for the client exceed what its bytes are worth.
  private(set) var behind: UInt64 = 0

  // The worth of a byte, in nanoseconds; nil without a minimum rate.
  private let worth: UInt64?
  private var moved: UInt64 = 0

  /// - Parameter rate: the least that a client must move, in bytes per second; nil for no minimum.
  init(rate: Int?) {
    worth = rate.map { 1_000_000_000 / UInt64(max(1, $0)) }
  }

  /// The client was waited for.
  mutating func waited(nanoseconds: UInt64) {
    guard worth != nil else { return }
    behind = behind.addingReportingOverflow(nanoseconds).partialValue
  }

  /// The client has moved `total` bytes since the beginning. Being ahead earns no credit for later.
  mutating func moved(total: UInt64) {
    guard let worth, total > moved else { return }
    let earned = (total - moved).multipliedReportingOverflow(by: worth)
    moved = total
    behind -= earned.overflow ? behind : min(behind, earned.partialValue)
  }
}

extension Exchange {
  /// Waits while the request's body is forwarded, and enforces the client's pace if more of it is due.
  ///
  /// - Throws: as ``wait(overdue:)`` does, and `clientTooSlow`.
  // Inlined, like everything that a request does until it waits for its response: it then fits into the first piece of
  // a task's memory.
  @inline(__always) func waitForUpload(_ route: ProxyRoute) async throws(ExchangeError) {
    request.uploadPace.moved(total: upload.decoder.payloadBytes)
    try keepPace(request.uploadPace, route)
    if !upload.isFinished, worker.memory.isNear { upload.economize() }
    let isClientsTurn = !upload.decoder.isFinished && !attempt.uploadIsRefused && !upload.waitsForSink
    let began = worker.loop.now
    try await wait(overdue: uploadTimeout(route))
    if isClientsTurn { request.uploadPace.waited(nanoseconds: worker.loop.now - began) }
  }

  /// Waits while the response is forwarded, and enforces the client's pace if the client has to take it.
  ///
  /// - Throws: as ``wait(overdue:)`` does, and `clientTooSlow`.
  func waitForDownload(_ route: ProxyRoute) async throws(ExchangeError) {
    if worker.memory.isNear { download.economize() }
    guard download.waitsForSink else { return try await wait(overdue: downloadTimeout(route)) }
    download.giveBackEmptyOutput()
    request.downloadPace.moved(total: delivered)
    try keepPace(request.downloadPace, route)
    let began = worker.loop.now
    try check(overdue: downloadTimeout(route))
    await connection.wakeup.wait()
    request.downloadPace.waited(nanoseconds: worker.loop.now - began)
    // The kernel reports that the socket is writable only when a good part of its buffer is empty; until then the
    // buffer shows whether the client takes anything.
    if connection.isOverdue, delivered > request.deliveredAtDeadline { setContentDeadline(route) }
    try check(overdue: downloadTimeout(route))
  }

  /// The time for the next piece of the response begins.
  func setContentDeadline(_ route: ProxyRoute) {
    // Computed only here: every piece of the body passes this way.
    let waitsForClient = download.waitsForSink
    request.deliveredAtDeadline = waitsForClient ? delivered : 0
    let mayBeQuiet = answerHead.isEventStream && !waitsForClient
    connection.setDeadline(
      worker.loop.now + (mayBeQuiet ? route.policy.timeouts.eventStream : route.policy.timeouts.body))
  }

  /// How much of the response the client's side has acknowledged.
  private var delivered: UInt64 {
    let sent = download.bytesSent
    guard sent > 0 else { return 0 }
    return sent - min(sent, UInt64(max(0, connection.stream.undeliveredBytes)))
  }

  private func keepPace(_ pace: ClientPace, _ route: ProxyRoute) throws(ExchangeError) {
    if pace.behind > route.policy.timeouts.body.nanoseconds { throw .clientTooSlow }
  }
}
