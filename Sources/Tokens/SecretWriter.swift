import Glibc
import Secrets

/// Puts a secret together in memory that is wiped afterwards, and never moved while it grows.
@safe struct SecretWriter: ~Copyable {
  // Owned by this value alone.
  private let storage: UnsafeMutableBufferPointer<UInt8>
  private let capacity: Int
  private(set) var count = 0

  /// Room for `capacity` bytes: what is appended beyond them is a programming error.
  init(capacity: Int) {
    self.capacity = capacity
    unsafe storage = UnsafeMutableBufferPointer.allocate(capacity: capacity)
    unsafe storage.initialize(repeating: 0)
  }

  deinit {
    if let start = unsafe storage.baseAddress { unsafe explicit_bzero(start, capacity) }
    unsafe storage.deallocate()
  }

  mutating func append(_ byte: UInt8) {
    precondition(count < capacity, "a secret outgrew the room computed for it")
    unsafe storage[count] = byte
    count += 1
  }

  mutating func append(_ text: String) {
    for byte in text.utf8 { append(byte) }
  }

  mutating func append(formEncoding text: String) {
    for byte in text.utf8 { append(formEncoding: byte) }
  }

  mutating func append(formEncoding bytes: Span<UInt8>) {
    for position in bytes.indices { append(formEncoding: bytes[position]) }
  }

  private mutating func append(formEncoding byte: UInt8) {
    FormEncoding.encode(byte) { append($0) }
  }

  /// What was written.
  consuming func secret() -> Secret {
    unsafe Secret(Span(_unsafeElements: UnsafeBufferPointer(storage).extracting(0..<count)))
  }
}
