/// Lends buffers to work and takes them back, so that an idle connection holds none.
///
/// One pool belongs to one event loop. It keeps at most `keeping` free buffers and lends the most recently used one first: work
/// that gives its buffers back before it waits shares a few of them, which stay in the processor's caches. ``trim()`` returns
/// buffers that were not needed for a while to the system.
///
/// When the pool's account is near its limit, new buffers are smaller, and only a few free ones are kept.
public final class BufferPool {
  /// The capacity of the buffers that ``lend()`` returns, in bytes.
  public let bufferCapacity: Int
  /// The minimum capacity of the buffers that ``lendForHead()`` returns.
  public let headCapacity: Int
  /// The capacity of a buffer for a body when the account is near its limit; less when it is tight.
  public var thriftyCapacity: Int { account.isTight ? 4 * 1024 : 16 * 1024 }
  /// How many bytes of a body may be received at once. Near the account's limit this is the capacity of a buffer lent now, even
  /// if the buffer in use is an older, larger one: what a client does not take has to be kept.
  public var receivedAtMost: Int { account.isNear ? thriftyCapacity : .max }
  /// Where the memory of the buffers counts.
  public let account: MemoryAccount
  /// A placeholder for "no buffer"; never lent, and giving it back does nothing.
  public let empty = ByteBuffer(capacity: 0)
  /// Called when a buffer was taken from the system.
  public var onGrowth: (() -> Void)?

  /// How many free buffers are kept.
  public var mostKept: Int
  // How many are kept at the moment.
  private var keeping: Int
  private var free: [ByteBuffer] = []
  private var freeSmall: [ByteBuffer] = []
  // Whether a buffer was taken from the system since the last ``trim()``.
  private var hasGrown = false

  // A waiting buffer mostly holds the head of a request, and most heads are smaller than this.
  private static let smallCapacity = 1024
  private static let smallKept = 1024
  // How many free buffers of each kind are always kept.
  private static let fewKept = 4
  private static let fewSmallKept = 64

  /// A pool of buffers of `bufferCapacity` bytes that keeps up to `keeping` of them for reuse.
  ///
  /// - Parameter headCapacity: what a buffer for a message's head holds when the account is near its limit; without it,
  ///   `bufferCapacity`.
  public init(
    bufferCapacity: Int, keeping: Int, headCapacity: Int? = nil, account: MemoryAccount = MemoryAccount(limit: nil)
  ) {
    self.bufferCapacity = bufferCapacity
    self.headCapacity = min(headCapacity ?? bufferCapacity, bufferCapacity)
    self.account = account
    mostKept = keeping
    self.keeping = keeping
  }

  /// How many free buffers there are, the small ones included.
  public var freeBuffers: Int { free.count + freeSmall.count }

  /// An empty buffer; give it back with ``giveBack(_:)``.
  public func lend() -> ByteBuffer {
    free.popLast() ?? make(bufferCapacity)
  }

  /// An empty buffer for `count` bytes that may have to wait before they are sent: as small as possible.
  public func lend(fitting count: Int) -> ByteBuffer {
    guard count > Self.smallCapacity else { return lendSmall() }
    var capacity = Self.smallCapacity * 2
    while capacity < count { capacity *= 2 }
    return make(capacity)
  }

  /// An empty buffer for the head of a message and what arrives with it; smaller when the account is near its limit.
  public func lendForHead() -> ByteBuffer {
    free.popLast() ?? make(account.isNear ? headCapacity : bufferCapacity)
  }

  /// An empty buffer for a head of about `count` bytes that is written at once and may wait to be sent; near the account's
  /// limit as small as possible. If the head does not fit, ``grow(_:)`` returns a larger buffer.
  public func lendForHead(ofAbout count: Int) -> ByteBuffer {
    if let buffer = free.popLast() { return buffer }
    guard account.isNear else { return make(bufferCapacity) }
    return lend(fitting: min(count, headCapacity))
  }

  /// An empty buffer for the beginning of a request; smaller when the account is near its limit, see ``extend(_:)``.
  public func lendForInput() -> ByteBuffer {
    free.popLast() ?? make(account.isNear ? min(thriftyCapacity, headCapacity) : bufferCapacity)
  }

  /// An empty buffer for a body of which `count` bytes have arrived already; smaller when the account is near its limit.
  public func lendForContent(atLeast count: Int = 0) -> ByteBuffer {
    free.popLast() ?? make(account.isNear ? min(max(count, thriftyCapacity), bufferCapacity) : bufferCapacity)
  }

  private func make(_ capacity: Int) -> ByteBuffer {
    let buffer = ByteBuffer(capacity: capacity, account: account)
    hasGrown = true
    if account.isNear { keepFew() }
    onGrowth?()
    return buffer
  }

  /// Takes `buffer` back for the next borrower and drops its contents.
  public func giveBack(_ buffer: consuming ByteBuffer) {
    if buffer.capacity == bufferCapacity {
      guard free.count < keeping else { return }
      buffer.removeAll()
      free.append(buffer)
    } else if buffer.capacity == Self.smallCapacity, freeSmall.count < Self.smallKept {
      buffer.removeAll()
      freeSmall.append(buffer)
    }
  }

  /// Takes back the buffer in `place` and leaves ``empty`` there.
  public func takeBack(_ place: inout ByteBuffer) {
    guard place.capacity > 0 else { return }
    var buffer = empty
    swap(&buffer, &place)
    giveBack(buffer)
  }

  /// Takes back the buffer in `place`, if there is one.
  public func takeBack(_ place: inout ByteBuffer?) {
    if let buffer = place.take() { giveBack(buffer) }
  }

  /// Takes `buffer` before a wait, and returns its contents in the smallest buffer that holds them.
  public func shrink(_ buffer: consuming ByteBuffer) -> ByteBuffer {
    guard buffer.capacity > Self.smallCapacity, buffer.count <= Self.smallCapacity else { return buffer }
    return move(buffer, to: lendSmall())
  }

  /// An empty small buffer, for a message that may arrive slowly and is used only when complete; see ``double(_:)``.
  public func lendSmall() -> ByteBuffer {
    freeSmall.popLast() ?? make(Self.smallCapacity)
  }

  /// Takes `buffer`, and returns its contents in one that is twice as large.
  public func double(_ buffer: ByteBuffer) -> ByteBuffer {
    move(buffer, to: make(max(Self.smallCapacity, buffer.capacity * 2)))
  }

  /// Takes `buffer` at the beginning of a wait, and returns its contents in a small buffer, or in one that is less than twice
  /// as large as the contents.
  public func fit(_ buffer: ByteBuffer) -> ByteBuffer {
    var capacity = Self.smallCapacity
    while capacity < buffer.count { capacity *= 2 }
    guard capacity < buffer.capacity else { return buffer }
    return move(buffer, to: capacity == Self.smallCapacity ? lendSmall() : make(capacity))
  }

  /// Takes `buffer`, which may have been shrunk, and returns its contents in one that has room for a head.
  public func grow(_ buffer: ByteBuffer) -> ByteBuffer {
    buffer.capacity < headCapacity ? move(buffer, to: lendForHead()) : buffer
  }

  /// Takes `buffer`, in which a head is received, and returns its contents in one with more room: near the account's limit
  /// twice the size, otherwise a whole head.
  public func extend(_ buffer: ByteBuffer) -> ByteBuffer {
    guard account.isNear else { return grow(buffer) }
    guard buffer.capacity < headCapacity, buffer.count >= buffer.capacity / 2 else { return buffer }
    return move(buffer, to: make(min(max(buffer.capacity * 2, Self.smallCapacity), headCapacity)))
  }

  /// Takes `buffer`, and returns its contents in one that holds `count` bytes, but not more than a head may have.
  public func enlarge(_ buffer: ByteBuffer, toHold count: Int) -> ByteBuffer {
    move(buffer, to: make(min(count, headCapacity)))
  }

  private func move(_ buffer: consuming ByteBuffer, to other: ByteBuffer) -> ByteBuffer {
    other.append(buffer.readableBytes)
    giveBack(buffer)
    return other
  }

  // MARK: Giving back to the system

  /// Frees half of the free buffers if none was taken from the system since the last call, except a few that are always kept.
  /// Near the account's limit it frees all others at once. Returns true while there are more to free.
  public func trim() -> Bool {
    let wasNeeded = hasGrown
    hasGrown = false
    if account.isNear {
      keepFew()
    } else {
      keeping = mostKept
      if !wasNeeded {
        free.removeFirst(max(0, free.count - Self.fewKept + 1) / 2)
        freeSmall.removeFirst(max(0, freeSmall.count - Self.fewSmallKept + 1) / 2)
      }
    }
    return free.count > Self.fewKept || freeSmall.count > Self.fewSmallKept
  }

  private func keepFew() {
    keeping = min(mostKept, Self.fewKept)
    if free.count > keeping { free.removeFirst(free.count - keeping) }
    if freeSmall.count > Self.fewSmallKept { freeSmall.removeFirst(freeSmall.count - Self.fewSmallKept) }
  }
}
