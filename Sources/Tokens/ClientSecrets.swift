internal import Encodings
import Glibc
internal import Locks
public import Secrets

/// The secrets of a client; files are read again for every fetch, so that a secret that was rotated takes effect
/// without a restart.
///
/// Two can be named during a rotation; ``TokenFetch`` uses the one that works.
public final class ClientSecrets: Sendable {
  /// Which of the two.
  public enum Place: String, Hashable, Sendable {
    /// `client_secret`.
    case current
    /// `client_secret_previous`.
    case previous
  }

  /// A source, and the secret it gave when it was read last.
  public struct Entry: Sendable {
    /// Where the secret comes from.
    public let source: SecretSource
    /// The secret.
    public let secret: Secret

    /// An entry that was just read.
    public init(source: SecretSource, secret: Secret) {
      self.source = source
      self.secret = secret
    }
  }

  /// What a reading gave.
  package struct Reading {
    /// The secrets in the order in which they are tried.
    package var secrets: [(place: Place, secret: Secret)] = []
    /// What could not be read; the secret that was there before is used.
    package var problems: [SecretError] = []
    /// A number that is another one whenever a secret is.
    package var generation = 0
  }

  private struct Held {
    var entries: [(place: Place, entry: Entry)]
    var generation = 0
  }

  private let held: Monitor<Held>

  /// The secrets as they were when the configuration was loaded.
  public init(current: Entry, previous: Entry? = nil) {
    held = Monitor(Held(entries: [(.current, current)] + (previous.map { [(.previous, $0)] } ?? [])))
  }

  /// Reads all files, which takes as long as small files take. What came from elsewhere cannot have changed.
  package func read() -> Reading {
    held.withLock { held in
      var reading = Reading()
      for index in held.entries.indices {
        let (place, entry) = held.entries[index]
        if case .file = entry.source {
          do throws(SecretError) {
            let secret = try entry.source.read(environment: [:])
            if secret != entry.secret {
              held.generation += 1
              held.entries[index].entry = Entry(source: entry.source, secret: secret)
            }
          } catch {
            reading.problems.append(error)
          }
        }
        reading.secrets.append((place, held.entries[index].entry.secret))
      }
      reading.generation = held.generation
      return reading
    }
  }

  /// Whether `other` reads the same sources.
  func isSame(as other: ClientSecrets) -> Bool {
    self === other || sources == other.sources
  }

  private var sources: [SecretSource] { held.withLock { $0.entries.map(\.entry.source) } }
}

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
    PercentEncoding.encodeForForm(byte) { append($0) }
  }

  /// What was written.
  consuming func secret() -> Secret {
    unsafe Secret(Span(_unsafeElements: UnsafeBufferPointer(storage).extracting(0..<count)))
  }
}
