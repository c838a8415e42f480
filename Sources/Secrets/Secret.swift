import Glibc

/// Bytes that must not be shown: a client secret, a password, a key.
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

/// Where a secret comes from; kept beside the secret, so that it can be read again after a rotation.
public enum SecretSource: Sendable, Equatable {
  /// A file, read whole; CRs and LFs at its end do not count, nor does a byte-order mark (UTF-8) at its beginning.
  case file(path: String)
  /// An environment variable.
  case environment(name: String)
  /// The secret itself, as written in proxy.conf.
  case inline(Secret)
  /// What a program prints.
  case program(SecretProgram)

  /// The most bytes a secret may have.
  public static let sizeLimit = 64 * 1024

  /// Gets the secret: reads the file, looks the variable up in `environment`, or runs the program, which may take its own time
  /// limit, or `limit`.
  public func read(environment: Environment, limit: Duration? = nil) throws(SecretError) -> Secret {
    switch self {
    case .file(let path):
      return try checked(readFile(path))
    case .environment(let name):
      guard let value = environment.secret(name) else { throw failure(.notSet) }
      return try checked(value)
    case .inline(let secret):
      return try checked(secret)
    case .program(let program):
      return try checked(program.run(limit: limit))
    }
  }

  private func readFile(_ path: String) throws(SecretError) -> Secret {
    do {
      return try SensitiveFile.read(path: path, limit: Self.sizeLimit) { bytes, _ in
        let start = Self.hasByteOrderMark(bytes) ? Self.byteOrderMark.count : 0
        return Secret(trimmingLineEnds: bytes.extracting(droppingFirst: start))
      }
    } catch {
      throw failure(SecretError.Reason(error, uid: geteuid()))
    }
  }

  private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

  private static func hasByteOrderMark(_ bytes: Span<UInt8>) -> Bool {
    bytes.count >= byteOrderMark.count && byteOrderMark.indices.allSatisfy { bytes[$0] == byteOrderMark[$0] }
  }

  /// Whether it is a file that begins with the UTF-8 byte-order mark, which editors on Windows write, and which is not part of
  /// the secret.
  public var hasByteOrderMark: Bool {
    guard case .file(let path) = self else { return false }
    // A file that cannot be read is told of where it is read.
    return (try? SensitiveFile.read(path: path, limit: Self.sizeLimit) { bytes, _ in Self.hasByteOrderMark(bytes) })
      ?? false
  }

  private func checked(_ secret: Secret) throws(SecretError) -> Secret {
    guard !secret.isEmpty else { throw failure(.empty) }
    guard secret.count <= Self.sizeLimit else { throw failure(.tooLarge) }
    let control: UInt8? = secret.withBytes { bytes in
      for index in bytes.indices where bytes[index] < 0x20 || bytes[index] == 0x7F { return bytes[index] }
      return nil
    }
    if let control { throw failure(.controlByte(control)) }
    return secret
  }

  private func failure(_ reason: SecretError.Reason) -> SecretError {
    SecretError(source: description, reason: reason)
  }
}

extension SecretSource: CustomStringConvertible {
  /// The source in words: `file /run/secrets/x`, `environment variable X`, `program /usr/bin/x` or `written in proxy.conf`.
  public var description: String {
    switch self {
    case .file(let path): "file \(path)"
    case .environment(let name): "environment variable \(name)"
    case .inline: "written in proxy.conf"
    case .program(let program): "program \(program.path)"
    }
  }
}

/// Why a secret is not available: its source and what is wrong there, never its content.
public struct SecretError: Error, Equatable, CustomStringConvertible {
  /// What went wrong.
  public enum Reason: Sendable, Equatable {
    /// The file cannot be opened or read; the text is the system's.
    case unreadable(String)
    /// A file was expected where a directory is.
    case directory
    /// A file was expected where a pipe, a socket or a device is.
    case notRegular
    /// There is more than ``SecretSource/sizeLimit`` bytes.
    case tooLarge
    /// The environment variable is not set.
    case notSet
    /// There is nothing, or nothing but line ends.
    case empty
    /// A program did not print a secret, for this reason.
    case program(String)
    /// A control byte (0-31 or 127) is inside: several lines, or no text at all.
    case controlByte(UInt8)
  }

  /// The source in words, such as `file /run/secrets/x`.
  public let source: String
  /// What is wrong with it.
  public let reason: Reason

  /// The error that `source` has for `reason`.
  public init(source: String, reason: Reason) {
    self.source = source
    self.reason = reason
  }

  /// One sentence, such as `file /run/secrets/x cannot be read: No such file or directory`.
  public var description: String { "\(source) \(complaint)" }

  /// What is wrong, to follow the name of the source: `cannot be read: No such file or directory`.
  public var complaint: String {
    switch reason {
    case .unreadable(let text): "cannot be read: \(text)"
    case .directory: "is a directory; name the file in it"
    case .notRegular: "is not a regular file"
    case .tooLarge: "holds more than \(SecretSource.sizeLimit / 1024) KB, which is no secret"
    case .notSet: "is not set"
    case .empty: "is empty"
    case .program(let text): text
    case .controlByte(let byte) where byte == 10 || byte == 13: "holds more than one line; a secret is a single one"
    case .controlByte(let byte): "holds the control byte \(byte), which cannot be part of a secret"
    }
  }
}

extension SecretError.Reason {
  /// `failure`, met by a process of the user `uid`: who may not read a file asks first who it was that tried.
  init(_ failure: SensitiveFile.Failure, uid: UInt32) {
    switch failure {
    case .unreadable(let reason, let permission):
      self = .unreadable(permission ? "\(reason) (running as uid \(uid))" : reason)
    case .directory: self = .directory
    case .notRegular: self = .notRegular
    case .tooLarge: self = .tooLarge
    }
  }
}
