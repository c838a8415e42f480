import Glibc

/// Bytes that must not be shown: a client secret, a password, a key.
///
/// They have their own memory, which is wiped with the last reference. Printing, interpolating, dumping or reflecting a secret
/// gives `<redacted>`; only ``withBytes(_:)`` gives access to the bytes.
@safe public final class Secret: @unchecked Sendable {
  // Sendable: written in init only, read-only afterwards, and freed with the object.
  private let storage: UnsafeMutableRawBufferPointer
  private let release: @Sendable (UnsafeMutableRawBufferPointer) -> Void

  /// A copy of `bytes`.
  public convenience init(_ bytes: Span<UInt8>) {
    unsafe self.init(copying: bytes) { unsafe $0.deallocate() }
  }

  /// A copy of `bytes` without trailing CRs and LFs, which editors and `echo` leave in secret files.
  public convenience init(trimmingLineEnds bytes: Span<UInt8>) {
    var count = bytes.count
    while count > 0, bytes[count - 1] == UInt8(ascii: "\n") || bytes[count - 1] == UInt8(ascii: "\r") { count -= 1 }
    self.init(bytes.extracting(first: count))
  }

  /// The UTF-8 of `text`. The string itself belongs to the caller and is not wiped.
  public convenience init(_ text: String) {
    self.init(text.utf8Span.span)
  }

  /// `count` bytes, all zero until `fill` writes them: for secrets that are made in place and exist nowhere else.
  public convenience init<E: Error>(
    count: Int, filledBy fill: (inout MutableSpan<UInt8>) throws(E) -> Void
  ) throws(E) {
    let storage = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
    unsafe storage.initializeMemory(as: UInt8.self, repeating: 0)
    // From here on the object wipes and frees it, even if `fill` throws.
    unsafe self.init(owning: storage) { unsafe $0.deallocate() }
    var bytes = unsafe MutableSpan<UInt8>(_unsafeBytes: storage)
    try fill(&bytes)
  }

  /// Like ``init(_:)``; the memory is passed to `release` after it is wiped, so that tests can see that.
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

  /// Calls `body` with the bytes; `body` must wipe any copies.
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
  /// Feeds only the length into `hasher`: a hash reveals nothing about the bytes.
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

/// The source of a secret, kept with it so that it can be read again after a rotation.
public enum SecretSource: Sendable, Equatable {
  /// A file, read whole; trailing CRs and LFs are ignored, and so is a UTF-8 byte-order mark at its beginning.
  case file(path: String)
  /// An environment variable.
  case environment(name: String)
  /// The secret itself, written in proxy.conf.
  case inline(Secret)
  /// The output of a program.
  case program(SecretProgram)

  /// The maximum length of a secret in bytes.
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

  /// Whether it is a file that begins with a UTF-8 byte-order mark, which Windows editors write, and which is not part of the
  /// secret.
  public var hasByteOrderMark: Bool {
    guard case .file(let path) = self else { return false }
    // Reading the file reports that it cannot be read.
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

/// Why a secret is not available: its source and the problem there, never its contents.
public struct SecretError: Error, Equatable, CustomStringConvertible {
  /// What went wrong.
  public enum Reason: Sendable, Equatable {
    /// The file cannot be opened or read; the text is the system's.
    case unreadable(String)
    /// It is a directory, not a file.
    case directory
    /// It is a pipe, a socket or a device, not a file.
    case notRegular
    /// It has more than ``SecretSource/sizeLimit`` bytes.
    case tooLarge
    /// The environment variable is not set.
    case notSet
    /// It is empty, or has only line ends.
    case empty
    /// A program did not print a secret, for this reason.
    case program(String)
    /// It contains a control byte (0-31 or 127): it has several lines, or is not text.
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
  /// The reason for `failure`. For lack of permission, it names the user `uid` of the process.
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
