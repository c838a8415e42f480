internal import Glibc

/// A fixed-capacity run of bytes with a read position and a write position.
///
/// Readable bytes lie in `start..<end`, free space in `end..<capacity`. A buffer belongs to one thread at a time:
/// it is not `Sendable`, and has no synchronisation.
///
/// A span taken from a buffer is valid until the next call that changes the buffer.
@safe public final class ByteBuffer {
  /// The number of bytes the buffer can hold.
  public let capacity: Int
  /// Offset of the first readable byte.
  public private(set) var start = 0
  /// Offset just after the last readable byte.
  public private(set) var end = 0

  // Owned by this object alone; a pointer to it never outlives a call.
  private let storage: UnsafeMutableRawPointer
  private let isMapped: Bool
  private let account: MemoryAccount?

  // Buffers of at least this size get a mapping each: freeing one returns its memory to the kernel at once. In the allocator's
  // heaps, a small block that lives on would keep the large ones around it.
  private static let leastMapped = 12 * 1024

  /// Allocates room for `capacity` bytes, uninitialised: pages that are never written cost no memory.
  ///
  /// - Parameter account: the capacity counts there as long as the buffer lives.
  public init(capacity: Int, account: MemoryAccount? = nil) {
    self.capacity = capacity
    self.account = account
    let mapping = unsafe capacity < Self.leastMapped ? nil : Self.map(capacity)
    unsafe storage = mapping ?? UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
    unsafe isMapped = mapping != nil
    account?.charge(capacity)
  }

  deinit {
    if isMapped { unsafe _ = munmap(storage, capacity) } else { unsafe storage.deallocate() }
    account?.release(capacity)
  }

  /// Maps memory from the kernel; nil if the process has too many mappings.
  private static func map(_ count: Int) -> UnsafeMutableRawPointer? {
    let memory = unsafe mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    return unsafe memory == MAP_FAILED ? nil : memory
  }

  /// The number of readable bytes.
  public var count: Int { end - start }
  /// The number of bytes that can still be written after the readable ones.
  public var freeSpace: Int { capacity - end }
  /// Whether there is nothing to read.
  public var isEmpty: Bool { start == end }

  /// The readable bytes.
  public var readableBytes: Span<UInt8> {
    @_lifetime(borrow self)
    borrowing get { bytes(start..<end) }
  }

  /// The bytes at `range`, offsets from the beginning of the buffer; `range` must lie within `0..<end`.
  @_lifetime(borrow self)
  public borrowing func bytes(_ range: Range<Int>) -> Span<UInt8> {
    precondition(range.lowerBound >= 0 && range.upperBound <= end, "the range lies outside the written bytes")
    let bytes = unsafe UnsafeRawBufferPointer(start: storage + range.lowerBound, count: range.count)
    return unsafe _overrideLifetime(Span(_unsafeBytes: bytes), borrowing: self)
  }

  /// Calls `body` with the readable bytes, for a system call.
  public func withUnsafeReadableBytes<R, E: Error>(
    _ body: (UnsafeRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    try unsafe body(UnsafeRawBufferPointer(start: storage + start, count: count))
  }

  /// Calls `body` with the free space, for a system call; ``commit(_:)`` makes the written bytes readable.
  public func withUnsafeFreeSpace<R, E: Error>(
    _ body: (UnsafeMutableRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    try unsafe body(UnsafeMutableRawBufferPointer(start: storage + end, count: freeSpace))
  }

  /// Copies `bytes` after the readable ones; there must be room.
  func copyIn(_ bytes: UnsafeRawBufferPointer) {
    precondition(bytes.count <= freeSpace, "the buffer is too small for what is appended")
    guard let source = bytes.baseAddress else { return }
    unsafe (storage + end).copyMemory(from: source, byteCount: bytes.count)
    end += bytes.count
  }

  /// Makes `count` bytes written into the free space readable.
  public func commit(_ count: Int) {
    precondition(count >= 0 && count <= freeSpace, "more was committed than there was room for")
    end += count
  }

  /// Replaces the readable byte at `offset`.
  public func setByte(_ byte: UInt8, at offset: Int) {
    precondition(offset >= start && offset < end, "the offset lies outside the readable bytes")
    unsafe storage.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
  }

  /// Drops `count` bytes from the front of the readable ones.
  public func consume(_ count: Int) {
    precondition(count >= 0 && count <= self.count, "more was consumed than was there")
    start += count
    if start == end { removeAll() }
  }

  /// Drops the readable bytes from the offset `end` on.
  public func truncate(to end: Int) {
    precondition(end >= start && end <= self.end, "the new end lies outside the readable bytes")
    self.end = end
  }

  /// Drops everything.
  public func removeAll() {
    start = 0
    end = 0
  }

  /// Moves the readable bytes to the beginning, so that all free space follows them.
  public func compact() {
    guard start > 0 else { return }
    let length = count
    if length > 0 {
      unsafe storage.copyMemory(from: storage + start, byteCount: length)
    }
    start = 0
    end = length
  }
}

extension ByteBuffer {
  /// Appends one byte; there must be room.
  public func append(_ byte: UInt8) {
    unsafe withUnsafeFreeSpace { unsafe $0[0] = byte }
    commit(1)
  }

  /// Appends `bytes`; there must be room.
  public func append(_ bytes: Span<UInt8>) {
    unsafe bytes.withUnsafeBytes { unsafe copyIn($0) }
  }

  /// Appends a literal; there must be room.
  public func append(_ literal: StaticString) {
    unsafe copyIn(UnsafeRawBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
  }

  /// Appends the UTF-8 of `string`; there must be room.
  public func append(_ string: String) {
    var string = string
    string.withUTF8 { utf8 in unsafe append(Span(_unsafeElements: utf8)) }
  }

  /// Appends `number` in decimal digits; there must be room.
  public func append(decimal number: UInt64) {
    appendDigits(number, radix: 10)
  }

  /// Appends `number` in lower-case hexadecimal digits; there must be room.
  public func append(hexadecimal number: UInt64) {
    appendDigits(number, radix: 16)
  }

  // Inlined so that the divisor is a constant and needs no division instruction.
  @inline(__always) private func appendDigits(_ number: UInt64, radix: UInt64) {
    var length = 1
    var rest = number / radix
    while rest > 0 {
      length += 1
      rest /= radix
    }
    precondition(length <= freeSpace, "the buffer is too small for what is appended")
    rest = number
    unsafe withUnsafeFreeSpace { free in
      for position in stride(from: length - 1, through: 0, by: -1) {
        let digit = UInt8(truncatingIfNeeded: rest % radix)
        unsafe free[position] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
        rest /= radix
      }
    }
    commit(length)
  }
}

extension ByteBuffer {
  /// Appends `count` bytes `0`, to be overwritten later; there must be room.
  public func appendZeros(_ count: Int) {
    precondition(count <= freeSpace, "the buffer is too small for what is appended")
    unsafe withUnsafeFreeSpace { free in
      for position in 0..<count { unsafe free[position] = UInt8(ascii: "0") }
    }
    commit(count)
  }

  /// Writes `number` over the readable bytes at `offset`, as `digits` lower-case hexadecimal digits with leading zeros.
  public func overwrite(hexadecimal number: UInt64, digits: Int, at offset: Int) {
    precondition(digits >= 0 && offset >= start && digits <= end - offset, "what is overwritten must be readable")
    precondition(digits >= 16 || number >> UInt64(4 * digits) == 0, "the number has more digits")
    var rest = number
    for position in stride(from: offset + digits - 1, through: offset, by: -1) {
      let digit = UInt8(truncatingIfNeeded: rest & 0xf)
      setByte(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10, at: position)
      rest >>= 4
    }
  }
}
