internal import Cryptography
import Secrets

/// Tokens that go from one process to the one that takes its place, in memory alone: each with the identity of its request.
///
/// The budget of tokens is not among them: it begins anew, as after a restart, unless there is a token store.
struct TokenHandOver {
  private var tokens: [(identity: [UInt8], token: StoredToken)] = []

  /// None.
  init() {}

  mutating func add(_ token: StoredToken, _ identity: [UInt8]) { tokens.append((identity, token)) }

  /// The token for the request with that identity, once.
  mutating func take(_ identity: [UInt8]) -> StoredToken? {
    guard let index = tokens.firstIndex(where: { $0.identity == identity }) else { return nil }
    return tokens.remove(at: index).token
  }

  // MARK: As bytes

  // For each: the number of bytes of the identity, the identity, seconds since 1970, the lifetime in milliseconds, the number of bytes
  // of the token, the token. Numbers have eight bytes, the highest first.
  private static let numberSize = 8

  /// All of them; nil where there are none.
  var bytes: Secret? {
    if tokens.isEmpty { return nil }
    let size = tokens.reduce(0) { $0 + 4 * Self.numberSize + $1.identity.count + $1.token.token.count }
    return Secret(count: size) { bytes in
      var position = 0
      for (identity, token) in tokens {
        Self.write(UInt64(identity.count), to: &bytes, &position)
        for byte in identity { Self.write(byte, to: &bytes, &position) }
        Self.write(UInt64(bitPattern: token.requestedAt), to: &bytes, &position)
        Self.write(UInt64(max(0, token.lifetime.components.seconds)) * 1000, to: &bytes, &position)
        Self.write(UInt64(token.token.count), to: &bytes, &position)
        token.token.withBytes { secret in
          for index in secret.indices { Self.write(secret[index], to: &bytes, &position) }
        }
      }
    }
  }

  /// Those in `bytes`, up to the first that is damaged.
  init(_ bytes: Secret) {
    bytes.withBytes { bytes in
      var position = 0
      while position < bytes.count {
        guard let identityCount = Self.length(bytes, &position) else { return }
        let identity = (0..<identityCount).map { bytes[position + $0] }
        position += identityCount
        guard let requestedAt = Self.number(bytes, &position), let lifetime = Self.number(bytes, &position),
          let count = Self.length(bytes, &position)
        else { return }
        let token = Secret(bytes.extracting(position..<position + count))
        position += count
        tokens.append(
          (
            identity,
            StoredToken(
              token: token, requestedAt: Int64(bitPattern: requestedAt),
              lifetime: .milliseconds(Int64(clamping: lifetime)))
          ))
      }
    }
  }

  private static func write(_ byte: UInt8, to bytes: inout MutableSpan<UInt8>, _ position: inout Int) {
    bytes[position] = byte
    position += 1
  }

  private static func write(_ number: UInt64, to bytes: inout MutableSpan<UInt8>, _ position: inout Int) {
    for shift in stride(from: 56, through: 0, by: -8) {
      write(UInt8(truncatingIfNeeded: number >> UInt64(shift)), to: &bytes, &position)
    }
  }

  private static func number(_ bytes: Span<UInt8>, _ position: inout Int) -> UInt64? {
    guard bytes.count - position >= numberSize else { return nil }
    var number: UInt64 = 0
    for offset in 0..<numberSize { number = number << 8 | UInt64(bytes[position + offset]) }
    position += numberSize
    return number
  }

  /// The number of bytes that follow; nil where there are fewer.
  private static func length(_ bytes: Span<UInt8>, _ position: inout Int) -> Int? {
    guard let number = number(bytes, &position), number <= UInt64(bytes.count - position) else { return nil }
    return Int(number)
  }
}
