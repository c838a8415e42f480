/// Buffers that are lent to work and taken back, so that an idle connection holds none.
///
/// One pool belongs to one event loop. It keeps at most `keeping` free buffers, the most recently used first: work that
/// gives its buffers back before it waits makes that work for all connections in the same few, which the processor's
/// caches hold. ``trim()`` gives what was not needed for a while back to the system.
///
/// When the pool's account is near its limit, new buffers are smaller, and only a few free ones are kept.
public final class BufferPool {
  /// The capacity of the buffers that ``lend()`` returns, in bytes.
  public let bufferCapacity: Int
  /// The least capacity of the buffers that ``lendForHead()`` returns.
  public let headCapacity: Int
  /// The capacity of a buffer for content when the account is near its limit; less when it is tight.
  public var thriftyCapacity: Int { account.isTight ? 4 * 1024 : 16 * 1024 }
  /// How many bytes of content may be received at once: near the account's limit no more than a buffer of that time holds, also where
  /// the buffer is an older one, since what a client does not take has to be kept.
  public var receivedAtMost: Int { account.isNear ? thriftyCapacity : .max }
  /// Where the memory of the buffers counts.
  public let account: MemoryAccount
  /// In the place of a buffer where there is nothing to hold; not lent, and given back to no avail.
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

  // What is only waited with is mostly the head of a request, and most heads are smaller than this.
  private static let smallCapacity = 1024
  private static let smallKept = 1024
  // How many free buffers are kept whatever happens, of each kind.
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

  /// An empty buffer for `count` bytes, which may have to wait until they are taken: as small as they allow.
  public func lend(fitting count: Int) -> ByteBuffer {
    guard count > Self.smallCapacity else { return lendSmall() }
    var capacity = Self.smallCapacity * 2
    while capacity < count { capacity *= 2 }
    return make(capacity)
  }

  /// An empty buffer for the head of a message and what comes with it; smaller when the account is near its limit.
  public func lendForHead() -> ByteBuffer {
    free.popLast() ?? make(account.isNear ? headCapacity : bufferCapacity)
  }

  /// An empty buffer for a head of about `count` bytes that is written at once, and may wait to be sent; near the account's limit as
  /// small as they allow. A head that does not fit gets a larger one with ``grow(_:)``.
  public func lendForHead(ofAbout count: Int) -> ByteBuffer {
    if let buffer = free.popLast() { return buffer }
    guard account.isNear else { return make(bufferCapacity) }
    return lend(fitting: min(count, headCapacity))
  }

  /// An empty buffer for what a client begins a request with; smaller when the account is near its limit, see ``extend(_:)``.
  public func lendForInput() -> ByteBuffer {
    free.popLast() ?? make(account.isNear ? min(thriftyCapacity, headCapacity) : bufferCapacity)
  }

  /// An empty buffer for content, of which at least `count` bytes are there already; smaller when the account is near its limit.
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

  /// Takes `buffer` back for the next borrower; what is in it is dropped.
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

  /// Takes back the buffer in `place`, where ``empty`` is from then on.
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

  /// Takes `buffer` before a wait, and returns its content in the smallest buffer that it fits into.
  public func shrink(_ buffer: consuming ByteBuffer) -> ByteBuffer {
    guard buffer.capacity > Self.smallCapacity, buffer.count <= Self.smallCapacity else { return buffer }
    return move(buffer, to: lendSmall())
  }

  /// An empty small buffer, for what may come slowly and is not needed before it is whole; see ``double(_:)``.
  public func lendSmall() -> ByteBuffer {
    freeSmall.popLast() ?? make(Self.smallCapacity)
  }

  /// Takes `buffer`, and returns what is in it in one that is twice as large.
  public func double(_ buffer: ByteBuffer) -> ByteBuffer {
    move(buffer, to: make(max(Self.smallCapacity, buffer.capacity * 2)))
  }

  /// Takes `buffer`, which a wait begins with, and returns what is in it in a small buffer, or in one that is less than twice
  /// as large as what is in it.
  public func fit(_ buffer: ByteBuffer) -> ByteBuffer {
    var capacity = Self.smallCapacity
    while capacity < buffer.count { capacity *= 2 }
    guard capacity < buffer.capacity else { return buffer }
    return move(buffer, to: capacity == Self.smallCapacity ? lendSmall() : make(capacity))
  }

  /// Takes `buffer`, which may have been shrunk, and returns what is in it in one that has room for a head.
  public func grow(_ buffer: ByteBuffer) -> ByteBuffer {
    buffer.capacity < headCapacity ? move(buffer, to: lendForHead()) : buffer
  }

  /// Takes `buffer`, in which a head is received, and returns what is in it in one that has room for more: near the account's
  /// limit for as much again, otherwise for a whole head.
  public func extend(_ buffer: ByteBuffer) -> ByteBuffer {
    guard account.isNear else { return grow(buffer) }
    guard buffer.capacity < headCapacity, buffer.count >= buffer.capacity / 2 else { return buffer }
    return move(buffer, to: make(min(max(buffer.capacity * 2, Self.smallCapacity), headCapacity)))
  }

  /// Takes `buffer`, and returns what is in it in one that holds `count` bytes, or a head's most.
  public func enlarge(_ buffer: ByteBuffer, toHold count: Int) -> ByteBuffer {
    move(buffer, to: make(min(count, headCapacity)))
  }

  private func move(_ buffer: consuming ByteBuffer, to other: ByteBuffer) -> ByteBuffer {
    other.append(buffer.readableBytes)
    giveBack(buffer)
    return other
  }

  // MARK: Giving back to the system

  /// Frees half of the free buffers if none was taken from the system since the last call, down to a few that are always kept;
  /// all others at once when the account is near its limit. True while there are more to free.
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
