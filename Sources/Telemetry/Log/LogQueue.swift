import Bytes
import Locks

/// The lines between the threads that log and the thread that writes: bounded, and always whole lines.
///
/// The thread that writes is a writer, with a number. When the output changes, another writer replaces it: the earlier
/// one writes what it has taken, and takes no more.
final class LogQueue: Sendable {
  /// Called when the output was opened again: with nil, or with why it could not be.
  typealias Reopened = @Sendable (String?) -> Void

  /// What a writer has to do.
  struct Work {
    /// Whole lines, in the order in which they were accepted.
    var blocks: [ByteBuffer] = []
    /// How many lines were lost and not reported yet, by reason.
    var losses: [LogLoss: UInt64] = [:]
  }

  private struct State {
    /// Lines that the writer has not taken yet.
    var blocks: [ByteBuffer] = []
    /// An empty block for the next lines.
    var spare: ByteBuffer?
    /// The bytes accepted and not written yet, including the current writer's share.
    var waitingBytes = 0
    var waitingLines = 0
    /// The current writer's share.
    var takenBytes = 0
    var takenLines = 0
    /// The number of the current writer.
    var current = 0
    /// Whether it still runs.
    var isWriting = true
    /// How many lines each earlier writer that still runs has left to write.
    var earlier: [Int: Int] = [:]
    var lost: [LogLoss: UInt64] = [:]
    var untold: [LogLoss: UInt64] = [:]
    /// Why lines without room are lost.
    var trouble = LogLoss.slow
    /// Why every line is lost; nil while lines are accepted.
    var refusal: LogLoss?
    var reopening: [Reopened] = []
    /// Whether the writer waits for the first line, and must be woken.
    var isIdle = false
    /// No more lines are accepted.
    var isClosed = false
    /// The time for writing is over: whatever is left stays unwritten.
    var isOver = false
    /// Everything that was accepted has been written.
    var isComplete = true

    mutating func lose(_ lines: Int, _ reason: LogLoss) {
      guard lines > 0 else { return }
      lost[reason, default: 0] += UInt64(lines)
      untold[reason, default: 0] += UInt64(lines)
    }
  }

  /// A block returned by a thread that no longer uses it, which the compiler cannot know.
  private struct Returned: @unchecked Sendable {
    let block: ByteBuffer
  }

  private static let blockCapacity = 64 * 1024
  // Replaced writers that hang in a write. Each holds no more than `limit` bytes.
  private static let mostEarlier = 2

  private let limit: Int
  private let state = Monitor(State())

  /// A queue in which up to `limit` bytes may wait. Its first writer has the number 0.
  init(limit: Int) {
    self.limit = limit
  }

  // MARK: Threads that log

  /// Accepts those of `lines` that there is room for, from the first one on, and counts the others as lost.
  func append(_ lines: Span<UInt8>) {
    let wakes = state.withLock { state in
      let accepted = state.refusal != nil ? 0 : lines.wholeLines(within: limit - state.waitingBytes)
      let waited = state.waitingBytes
      let acceptedLines = lines.extracting(first: accepted).lineCount
      state.waitingBytes += accepted
      state.waitingLines += acceptedLines
      if accepted < lines.count {
        state.lose(lines.extracting(droppingFirst: accepted).lineCount, state.refusal ?? state.trouble)
      }
      Self.copy(lines.extracting(first: accepted), to: &state)
      // Beyond half the limit the writer must not rest, so it is woken when the queue reaches that.
      let wakes = state.isIdle || (waited <= limit / 2 && state.waitingBytes > limit / 2)
      state.isIdle = state.isIdle && accepted == 0
      return wakes && accepted > 0
    }
    if wakes { state.wakeAll() }
  }

  private static func copy(_ bytes: Span<UInt8>, to state: inout State) {
    var copied = 0
    while copied < bytes.count {
      if state.blocks.last?.freeSpace ?? 0 == 0 {
        state.blocks.append(state.spare ?? ByteBuffer(capacity: blockCapacity))
        state.spare = nil
      }
      let block = state.blocks[state.blocks.count - 1]
      let count = min(block.freeSpace, bytes.count - copied)
      block.append(bytes.extracting(copied..<(copied + count)))
      copied += count
    }
  }

  /// Makes the current writer open its output again; calls `done` with the result on the writer's thread.
  func reopen(_ done: @escaping Reopened) {
    let problem = state.withLock { state -> String? in
      guard state.isWriting && !state.isClosed else { return "the log is no longer written" }
      state.reopening.append(done)
      return nil
    }
    if let problem { done(problem) } else { state.wakeAll() }
  }

  /// Replaces the current writer, and returns the number of the next one; nil if that is impossible: the queue is
  /// closed, or several earlier writers hang.
  func replaceWriter() -> Int? {
    let number = state.withLock { state -> Int? in
      guard !state.isClosed, state.earlier.count < Self.mostEarlier else { return nil }
      if state.isWriting {
        state.earlier[state.current] = state.takenLines
        state.waitingBytes -= state.takenBytes
        state.waitingLines -= state.takenLines
      }
      (state.takenBytes, state.takenLines) = (0, 0)
      state.current += 1
      (state.isWriting, state.isComplete, state.refusal, state.trouble) = (true, true, nil, .slow)
      return state.current
    }
    state.wakeAll()
    return number
  }

  /// How many lines have been lost, by reason.
  var lost: [LogLoss: UInt64] { state.withLock { $0.lost } }

  // MARK: The end

  /// Accepts nothing from now on; waiting lines are still written.
  func close() {
    state.withLock { state in
      state.isClosed = true
      state.refusal = state.refusal ?? .exit
    }
    state.wakeAll()
  }

  /// Waits at most `milliseconds` for the writers to end; lines still waiting after that are lost. Returns whether
  /// everything was written.
  func waitForEnd(milliseconds: Int) -> Bool {
    state.wait(while: { $0.isWriting || !$0.earlier.isEmpty }, milliseconds: milliseconds) { state in
      if state.isWriting { Self.endCurrent(&state, state.trouble) }
      for lines in state.earlier.values { Self.loseRest(lines, state.trouble, &state) }
      state.earlier = [:]
      state.isOver = true
      return state.isComplete
    }
  }

  private static func loseRest(_ lines: Int, _ reason: LogLoss, _ state: inout State) {
    if lines > 0 { state.isComplete = false }
    state.lose(lines, reason)
  }

  private static func endCurrent(_ state: inout State, _ reason: LogLoss) {
    state.isWriting = false
    state.refusal = state.isClosed ? .exit : reason
    loseRest(state.waitingLines, reason, &state)
    if state.waitingBytes > 0 { state.isComplete = false }
    (state.waitingLines, state.waitingBytes, state.takenLines, state.takenBytes) = (0, 0, 0, 0)
    state.blocks = []
    state.spare = nil
  }
}

// Calls for writers, each with its number.
extension LogQueue {
  /// When a writer reports lost lines.
  enum Telling: Equatable {
    case never
    case now
    /// After this many milliseconds, or at the end.
    case after(Int)
  }

  /// Waits for work; nil if there will be no further work. The result may be empty.
  func take(by writer: Int, _ telling: Telling) -> Work? {
    var milliseconds: Int?
    if case .after(let some) = telling { milliseconds = some }
    return state.wait(
      while: { state in
        let hasWork = !state.blocks.isEmpty || !state.reopening.isEmpty || (telling == .now && !state.untold.isEmpty)
        state.isIdle = !hasWork && !state.isClosed && state.isWriting && state.current == writer
        return state.isIdle
      }, milliseconds: milliseconds
    ) { state in
      guard state.current == writer && state.isWriting else { return nil }
      state.isIdle = false
      let tells = telling == .now || (telling != .never && state.isClosed)
      let isAtEnd = state.blocks.isEmpty && state.isClosed && (!tells || state.untold.isEmpty)
      guard !state.isOver && !isAtEnd else { return nil }
      var work = Work(blocks: state.blocks)
      state.blocks = []
      (state.takenBytes, state.takenLines) = (state.waitingBytes, state.waitingLines)
      if tells { swap(&work.losses, &state.untold) }
      return work
    }
  }

  /// Lets lines gather for `milliseconds`, or less if the queue is closed or half full, or there is other work.
  func gather(by writer: Int, milliseconds: Int) {
    state.wait(
      while: { state in
        !state.isClosed && state.waitingBytes <= self.limit / 2 && state.current == writer && state.reopening.isEmpty
      }, milliseconds: milliseconds, then: { _ in })
  }

  /// From now on, lines without room are lost because of `trouble`.
  func note(_ trouble: LogLoss, by writer: Int) {
    state.withLock { state in if state.current == writer { state.trouble = trouble } }
  }

  /// Waits for `milliseconds` because of `trouble` with the output, or less if there is other work. Returns whether the
  /// writer must try again.
  func pause(by writer: Int, _ trouble: LogLoss, milliseconds: Int) -> Bool {
    state.wait(
      while: { state in
        if state.current == writer { state.trouble = trouble }
        return !state.isClosed && state.current == writer && state.reopening.isEmpty
      }, milliseconds: milliseconds, then: { !$0.isClosed && $0.current == writer })
  }

  /// The requests to open the output again.
  func takeReopening(by writer: Int) -> [Reopened] {
    state.withLock { state in
      guard state.current == writer else { return [] }
      defer { state.reopening = [] }
      return state.reopening
    }
  }

  /// Notes that `bytes` bytes, with `lines` line feeds, are done: written, or lost for a reason. Returns whether the
  /// writer must go on.
  func finished(by writer: Int, bytes: Int, lines: Int, lost reason: LogLoss? = nil) -> Bool {
    state.withLock { state in
      guard !state.isOver else { return false }
      if let reason { state.lose(lines, reason) }
      if state.current == writer {
        state.waitingBytes -= bytes
        state.waitingLines -= lines
        state.takenBytes -= bytes
        state.takenLines -= lines
        if reason == nil && bytes > 0 { state.trouble = .slow }
      } else {
        state.earlier[writer]? -= lines
      }
      return true
    }
  }

  /// Takes back a written block for reuse; the writer must not touch it any more.
  func giveBack(_ block: ByteBuffer) {
    block.removeAll()
    let returned = Returned(block: block)
    state.withLock { $0.spare = returned.block }
  }

  /// Ends the writer; lines that it has taken, and, without another writer, all waiting lines, are lost for `reason`.
  func end(by writer: Int, _ reason: LogLoss) {
    let waiting = state.withLock { state -> [Reopened] in
      guard !state.isOver else { return [] }
      if let lines = state.earlier.removeValue(forKey: writer) { Self.loseRest(lines, reason, &state) }
      guard state.current == writer, state.isWriting else { return [] }
      Self.endCurrent(&state, reason)
      defer { state.reopening = [] }
      return state.reopening
    }
    for done in waiting { done("the log is no longer written") }
    state.wakeAll()
  }
}
