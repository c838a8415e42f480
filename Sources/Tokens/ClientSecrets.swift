internal import Locks
public import Secrets

/// The secrets of a client; files are read anew for every fetch, so that a secret that was rotated takes effect without
/// a restart.
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
  struct Reading {
    /// The secrets in the order in which they are tried.
    var secrets: [(place: Place, secret: Secret)] = []
    /// What could not be read; the secret that was there before is used.
    var problems: [SecretError] = []
    /// Whether one of them is another than before.
    var hasChanged = false
  }

  private let entries: Monitor<[(place: Place, entry: Entry)]>

  /// The secrets as they were when the configuration was loaded.
  public init(current: Entry, previous: Entry? = nil) {
    entries = Monitor([(.current, current)] + (previous.map { [(.previous, $0)] } ?? []))
  }

  /// Reads all files, which takes as long as small files take. What came from elsewhere cannot have changed.
  func read() -> Reading {
    entries.withLock { entries in
      var reading = Reading()
      for index in entries.indices {
        let (place, entry) = entries[index]
        if case .file = entry.source {
          do throws(SecretError) {
            let secret = try entry.source.read(environment: [:])
            if secret != entry.secret {
              reading.hasChanged = true
              entries[index].entry = Entry(source: entry.source, secret: secret)
            }
          } catch {
            reading.problems.append(error)
          }
        }
        reading.secrets.append((place, entries[index].entry.secret))
      }
      return reading
    }
  }

  /// The secrets as they are now, in the order in which they are tried; ``read()`` is not told of a change by this.
  package func latest() -> [Secret] {
    entries.withLock { $0 }.map { _, entry in
      guard case .file = entry.source, let secret = try? entry.source.read(environment: [:]) else {
        return entry.secret  // Whoever fetches says what is wrong with the file.
      }
      return secret
    }
  }

  /// Whether `other` reads the same sources.
  func isSame(as other: ClientSecrets) -> Bool {
    self === other || sources == other.sources
  }

  private var sources: [SecretSource] { entries.withLock { $0.map(\.entry.source) } }
}
