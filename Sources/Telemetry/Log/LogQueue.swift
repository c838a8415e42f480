import Bytes
import Locks

/// The lines between those who log and the thread that writes: bounded, and never a part of a line.
final class LogQueue: Sendable {
  private struct State {
    /// Lines that the writer has not taken yet.
    var blocks: [ByteBuffer] = []
    /// An empty block for the next lines.
    var spare: ByteBuffer?
    /// What has been accepted and not been written; the writer's share included.
    var waitingBytes = 0
    var waitingLines = 0
    var droppedLines: UInt64 = 0
    /// Whether the writer waits for the first line, and has to be woken.
    var isIdle = false
    /// No more lines are accepted.
    var isClosed = false
    /// The writer has ended, or no request waits for it any more: what is left will not be written.
    var isOver = false
    /// Everything that was accepted has been written.
    var isComplete = true
  }

  /// A block that is not used any more by the thread that gives it back, which the compiler cannot see.
  private struct Returned: @unchecked Sendable {
    let block: ByteBuffer
  }

  private static let blockCapacity = 64 * 1024

  private let limit: Int
  private let state = Monitor(State())

  /// A queue in which up to `limit` bytes may wait.
  init(limit: Int) {
    self.limit = limit
  }

  /// Accepts those of `lines` for which there is room, from the first one on, and counts the others as dropped.
  func append(_ lines: Span<UInt8>) {
    let wakes = state.withLock { state in
      let accepted = state.isClosed ? 0 : lines.wholeLines(within: limit - state.waitingBytes)
      let waited = state.waitingBytes
      let acceptedLines = lines.extracting(first: accepted).lineCount
      state.waitingBytes += accepted
      state.waitingLines += acceptedLines
      if accepted < lines.count {
        state.droppedLines += UInt64(lines.extracting(droppingFirst: accepted).lineCount)
      }
      Self.copy(lines.extracting(first: accepted), to: &state)
      // Beyond half the limit the writer must not rest, so it is woken when that is reached.
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

  /// Waits for lines, and takes all that there are; nil when there will be no more.
  func take() -> [ByteBuffer]? {
    state.wait { state in
      state.isIdle = state.blocks.isEmpty && !state.isClosed
      return state.isIdle
    } then: { state in
      state.isIdle = false
      guard !state.isOver && !state.blocks.isEmpty else { return nil }
      defer { state.blocks = [] }
      return state.blocks
    }
  }

  /// Lets lines gather for `milliseconds`, less if the queue is closed or half full.
  func gather(milliseconds: Int) {
    state.wait(
      while: { !$0.isClosed && $0.waitingBytes <= self.limit / 2 }, milliseconds: milliseconds, then: { _ in })
  }

  /// Waits for `milliseconds`, less if the queue is closed, and returns whether it is not.
  func waitWhileOpen(milliseconds: Int) -> Bool {
    state.wait(while: { !$0.isClosed }, milliseconds: milliseconds, then: { !$0.isClosed })
  }

  /// Notes that the writer has written `bytes` bytes, `lines` line feeds among them. Returns whether it is to go on.
  func wrote(bytes: Int, lines: Int) -> Bool {
    state.withLock { state in
      guard !state.isOver else { return false }
      state.waitingBytes -= bytes
      state.waitingLines -= lines
      return true
    }
  }

  /// Takes a block back that has been written, for reuse; the writer touches it no more.
  func giveBack(_ block: ByteBuffer) {
    block.removeAll()
    let returned = Returned(block: block)
    state.withLock { $0.spare = returned.block }
  }

  /// Ends the writer's part; lines that wait are dropped.
  func end() {
    state.withLock { if !$0.isOver { Self.end(&$0) } }
    state.wakeAll()
  }

  private static func end(_ state: inout State) {
    state.isClosed = true
    state.isOver = true
    state.isComplete = state.waitingBytes == 0
    state.droppedLines += UInt64(state.waitingLines)
    state.waitingLines = 0
    state.waitingBytes = 0
    state.blocks = []
    state.spare = nil
  }

  /// Accepts nothing from now on; what waits is still written.
  func close() {
    state.withLock { $0.isClosed = true }
    state.wakeAll()
  }

  /// Waits for the writer to end, for `milliseconds` at most; after that, what still waits is dropped. Returns whether
  /// everything was written.
  func waitForEnd(milliseconds: Int) -> Bool {
    state.wait(while: { !$0.isOver }, milliseconds: milliseconds) { state in
      if !state.isOver { Self.end(&state) }
      return state.isComplete
    }
  }

  var droppedLines: UInt64 { state.withLock { $0.droppedLines } }
}
