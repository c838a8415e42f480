internal import HeapModule

/// The timers of one event loop, ordered by deadline; a value separate from the timers.
struct TimerQueue {
  private struct Entry: Comparable {
    let moment: Instant
    let timer: LoopTimer

    static func < (left: Entry, right: Entry) -> Bool { left.moment < right.moment }
    static func == (left: Entry, right: Entry) -> Bool { left.moment == right.moment }
  }

  private var entries = Heap<Entry>()
  // The number of entries that no longer count, because their timer was retired or moved earlier. They are dropped when their
  // time comes, or all at once when they are the majority.
  private var stale = 0

  var count: Int { entries.count }

  /// The moment at which ``expire(at:)`` next has work.
  var next: Instant { entries.min?.moment ?? .never }

  mutating func set(_ timer: LoopTimer, to deadline: Instant) {
    timer.deadline = deadline
    guard deadline != .never else { return }
    let wasQueued = timer.queuedAt != nil
    if let queuedAt = timer.queuedAt, queuedAt <= deadline { return }
    timer.queuedAt = deadline
    entries.insert(Entry(moment: deadline, timer: timer))
    if wasQueued { noteStale() }
  }

  mutating func retire(_ timer: LoopTimer) {
    timer.retire()
    guard timer.queuedAt != nil else { return }
    timer.queuedAt = nil
    noteStale()
  }

  private mutating func noteStale() {
    stale += 1
    guard stale > 512, stale > entries.count / 2 else { return }
    entries = Heap(entries.unordered.filter { $0.timer.queuedAt == $0.moment })
    stale = 0
  }

  /// The timers whose deadline is at or before `now`, each to be fired once.
  mutating func expire(at now: Instant) -> [LoopTimer] {
    var due: [LoopTimer] = []
    while let entry = entries.min, entry.moment <= now {
      entries.removeMin()
      let timer = entry.timer
      guard timer.queuedAt == entry.moment else {
        stale = max(0, stale - 1)
        continue
      }
      timer.queuedAt = nil
      if timer.deadline <= now {
        due.append(timer)
      } else {
        set(timer, to: timer.deadline)
      }
    }
    return due
  }
}
