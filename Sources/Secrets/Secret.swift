import Glibc

/// Bytes that nobody is to see: a client secret, a password, a key.
///
/// They live in memory of their own that is wiped when the last reference goes. Printing, interpolating, dumping or
/// reflecting a secret gives `<redacted>`; the bytes are only reached through ``withBytes(_:)``.
@safe public final class Secret: @unchecked Sendable {
  // Sendable: written in init only, read-only afterwards, and freed with the object.
  private let storage: UnsafeMutableRawBufferPointer
  private let release: @Sendable (UnsafeMutableRawBufferPointer) -> Void

  /// A copy of `bytes`.
  public convenience init(_ bytes: Span<UInt8>) {
    unsafe self.init(copying: bytes) { unsafe $0.deallocate() }
  }

  /// A copy of `bytes` without the CRs and LFs at its end, which editors and `echo` leave in secret files.
  public convenience init(trimmingLineEnds bytes: Span<UInt8>) {
    var count = bytes.count
    while count > 0, bytes[count - 1] == UInt8(ascii: "\n") || bytes[count - 1] == UInt8(ascii: "\r") { count -= 1 }
    self.init(bytes.extracting(first: count))
  }

  /// The UTF-8 of `text`. The string itself is the caller's: it is not wiped.
  public convenience init(_ text: String) {
    self.init(text.utf8Span.span)
  }

  /// `count` bytes, all zero until `fill` writes them: for what is made in place and is never anywhere else.
  public convenience init<E: Error>(
    count: Int, filledBy fill: (inout MutableSpan<UInt8>) throws(E) -> Void
  ) throws(E) {
    let storage = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
    unsafe storage.initializeMemory(as: UInt8.self, repeating: 0)
    // From here on the object wipes and frees it, also when `fill` throws.
    unsafe self.init(owning: storage) { unsafe $0.deallocate() }
    var bytes = unsafe MutableSpan<UInt8>(_unsafeBytes: storage)
    try fill(&bytes)
  }

  /// As ``init(_:)``, with the memory handed to `release` once it is wiped: how tests see that it was.
  convenience init(copying bytes: Span<UInt8>, release: @escaping @Sendable (UnsafeMutableRawBufferPointer) -> Void) {
    let storage = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    unsafe bytes.withUnsafeBytes { unsafe storage.copyMemory(from: $0) }
    unsafe self.init(owning: storage, release: release)
  }

  private init(
    owning storage: UnsafeMutableRawBufferPointer, release: @escaping @Sendable (UnsafeMutableRawBufferPointer) -> Void
  ) {
    unsafe self.storage = storage
    unsafe self.release = release
  }

  deinit {
    // explicit_bzero: the optimiser may drop a plain memset just before the memory is freed.
    if let base = unsafe storage.baseAddress { unsafe explicit_bzero(base, storage.count) }
    unsafe release(storage)
  }

  /// The number of bytes.
  public var count: Int { unsafe storage.count }
  /// Whether there are no bytes.
  public var isEmpty: Bool { count == 0 }

  /// Calls `body` with the bytes; what it copies elsewhere is its own to wipe.
  public func withBytes<R, E: Error>(_ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R {
    try unsafe body(Span(_unsafeBytes: UnsafeRawBufferPointer(storage)))
  }
}

extension Secret: Equatable {
  /// Whether both hold the same bytes. The time this takes depends on the lengths only, not on where they differ.
  public static func == (one: Secret, other: Secret) -> Bool {
    guard one.count == other.count else { return false }
    var difference: UInt8 = 0
    for index in 0..<one.count { unsafe difference |= one.storage[index] ^ other.storage[index] }
    return difference == 0
  }
}

extension Secret: Hashable {
  /// Feeds the length alone into `hasher`: a hash says nothing of the bytes.
  public func hash(into hasher: inout Hasher) { hasher.combine(count) }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// `<redacted>`, always.
  public var description: String { "<redacted>" }
  /// `<redacted>`, always.
  public var debugDescription: String { "<redacted>" }
  /// A mirror without children: reflection shows nothing of the secret either.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}
