import Bytes
import Testing

@Suite("A pool of buffers") struct BufferPoolTests {
  private static let kb = 1024

  /// A pool of 128 KB buffers, whose account has room for `limit` of them.
  private static func pool(limit: Int? = 16) -> BufferPool {
    BufferPool(
      bufferCapacity: 128 * kb, keeping: 64, headCapacity: 48 * kb,
      account: MemoryAccount(limit: limit.map { $0 * 128 * kb }))
  }

  @Test("counts a buffer from when the system gives it until the system has it back, however often it is lent")
  func counting() {
    let pool = Self.pool()
    var buffer = pool.lend()
    #expect(pool.account.taken == 128 * Self.kb)
    pool.giveBack(buffer)
    buffer = pool.lend()
    pool.giveBack(buffer)
    #expect(pool.account.taken == 128 * Self.kb)
    let small = pool.lendSmall()
    #expect(pool.account.taken == 129 * Self.kb)
    pool.giveBack(small)
    #expect(pool.account.taken == 129 * Self.kb)
  }

  @Test("counts nothing any more when the last buffer and the pool are gone")
  func end() {
    let account = MemoryAccount(limit: nil)
    do {
      let pool = BufferPool(bufferCapacity: 64 * Self.kb, keeping: 2, account: account)
      let lent = (0..<8).map { _ in pool.lend() }
      #expect(account.taken == 8 * 64 * Self.kb)
      for buffer in lent { pool.giveBack(buffer) }
    }
    #expect(account.taken == 0)
  }

  @Test("frees half of what was not needed each time, down to a few")
  func trimming() {
    let pool = Self.pool(limit: nil)
    var lent = (0..<11).map { _ in pool.lend() }
    while let buffer = lent.popLast() { pool.giveBack(buffer) }
    #expect(pool.freeBuffers == 11)
    // Some were taken from the system since the last time.
    #expect(pool.trim() == true)
    #expect(pool.freeBuffers == 11)
    var counts: [Int] = []
    while pool.trim() { counts.append(pool.freeBuffers) }
    #expect(counts == [7, 5])
    #expect(pool.freeBuffers == 4)
    #expect(pool.account.taken == 4 * 128 * Self.kb)
    #expect(pool.trim() == false)
    #expect(pool.freeBuffers == 4)
  }

  @Test("lends smaller buffers near the limit, still smaller ones when it is tight, and frees what it keeps")
  func levels() {
    let pool = Self.pool()
    var lent = (0..<7).map { _ in pool.lend() }
    #expect(pool.account.level == .plenty)
    #expect(pool.lendForContent().capacity == 128 * Self.kb)
    lent.append(pool.lend())
    #expect(pool.account.level == .near)
    #expect(pool.lendForContent().capacity == 16 * Self.kb)
    #expect(pool.lendForContent(atLeast: 20 * Self.kb).capacity == 20 * Self.kb)
    #expect(pool.lendForContent(atLeast: 500 * Self.kb).capacity == 128 * Self.kb)
    #expect(pool.lendForHead().capacity == 48 * Self.kb)
    lent += (0..<4).map { _ in pool.lend() }
    #expect(pool.account.level == .tight)
    #expect(pool.lendForContent().capacity == 4 * Self.kb)
    lent += (0..<4).map { _ in pool.lend() }
    #expect(pool.account.level == .full)
    for buffer in lent { pool.giveBack(buffer) }
    lent.removeAll()
    // The pool kept a few, since it was near the limit when it last took a buffer.
    #expect(pool.freeBuffers == 4)
    #expect(pool.account.level == .plenty)
  }

  @Test("keeps many again once the account is far from its limit")
  func recovery() {
    let pool = Self.pool()
    var lent = (0..<14).map { _ in pool.lend() }
    while lent.count > 6 { lent.removeLast() }
    _ = pool.trim()
    for buffer in lent { pool.giveBack(buffer) }
    #expect(pool.freeBuffers == 6)
  }

  @Test("frees all but a few at once near the limit, also when others took the memory")
  func pressure() {
    let account = MemoryAccount(limit: 1024 * Self.kb)
    let pool = BufferPool(bufferCapacity: 64 * Self.kb, keeping: 64, account: account)
    let lent = (0..<10).map { _ in pool.lend() }
    for buffer in lent { pool.giveBack(buffer) }
    let other = MemoryCharge(200 * Self.kb, to: account)
    #expect(account.isNear)
    _ = pool.trim()
    #expect(pool.freeBuffers == 4)
    _ = other
  }

  @Test("calls onGrowth when a buffer comes from the system, and only then")
  func growth() {
    let pool = Self.pool()
    var calls = 0
    pool.onGrowth = { calls += 1 }
    pool.giveBack(pool.lend())
    pool.giveBack(pool.lend())
    #expect(calls == 1)
  }
}

@Suite("An account of memory") struct MemoryAccountTests {
  @Test(
    "has a level by how much of the limit is taken",
    arguments: [
      (0, MemoryAccount.Level.plenty), (499, .plenty), (500, .near), (749, .near), (750, .tight), (999, .tight),
      (1000, .full), (5000, .full),
    ])
  func levels(taken: Int, level: MemoryAccount.Level) {
    let account = MemoryAccount(limit: 1000)
    account.charge(taken)
    #expect(account.level == level)
    #expect(account.isNear == (level != .plenty))
    #expect(account.isTight == (level == .tight || level == .full))
    #expect(account.isFull == (level == .full))
    #expect(account.room == max(0, 1000 - taken))
  }

  @Test("without a limit has room for everything")
  func unlimited() {
    let account = MemoryAccount(limit: nil)
    account.charge(1 << 50)
    #expect(account.level == .plenty && !account.isNear)
  }

  @Test("reports once that much less is taken than before")
  func falling() {
    let account = MemoryAccount(limit: nil)
    account.charge(1000)
    #expect(!account.hasFallen(by: 100))
    account.release(99)
    #expect(!account.hasFallen(by: 100))
    account.release(1)
    #expect(account.hasFallen(by: 100))
    #expect(!account.hasFallen(by: 100))
    account.charge(500)
    account.release(500)
    #expect(account.hasFallen(by: 100))
  }
}
