internal import COpenSSL
internal import Encodings
public import Secrets

/// The cost of one scrypt derivation (RFC 7914): an attacker pays it for every guess.
public struct ScryptCost: Sendable, Hashable {
  /// The default: 32 MB, and about a tenth of a second.
  public static let usual = ScryptCost(logN: 15, r: 8, p: 1)!

  /// The base-2 logarithm of N.
  public let logN: Int
  /// The size of a block, in units of 128 bytes.
  public let r: Int
  /// The number of repetitions.
  public let p: Int

  /// The most memory that a derivation may take: without a limit, a mistake in proxy.conf could exhaust the memory.
  public static let mostMemory = 128 << 20

  // With less, a password of eight letters can be found in an afternoon.
  private static let leastLogN = 10
  private static let mostRepetitions = 8

  /// The cost with these parameters; nil if it is too low, takes more than ``mostMemory``, or far too long.
  public init?(logN: Int, r: Int, p: Int) {
    guard (Self.leastLogN...24).contains(logN), (1...64).contains(r), (1...Self.mostRepetitions).contains(p),
      128 * r << logN <= Self.mostMemory
    else { return nil }
    self.logN = logN
    self.r = r
    self.p = p
  }

  /// How many bytes of memory one derivation takes.
  public var memory: Int { 128 * r << logN }
}

/// A stored password: a salt, and the result of scrypt (RFC 7914) for both.
///
/// Its text is that of the PHC string format, `$scrypt$ln=15,r=8,p=1$SALT$HASH`. It prints as `<redacted>`: an attacker
/// with the hash can try passwords unnoticed.
public struct PasswordHash: Sendable, Hashable {
  /// The cost of trying a password.
  public let cost: ScryptCost
  private let salt: [UInt8]
  private let derived: [UInt8]

  private static let saltCount = 16
  private static let derivedCount = 32
  private static let saltCounts = 8...64
  private static let derivedCounts = 16...64

  /// Parses `text`; nil if it is not a hash, or if its cost is out of bounds.
  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: "$", omittingEmptySubsequences: false)
    guard parts.count == 5, parts[0].isEmpty, parts[1] == "scrypt", let cost = Self.cost(parts[2]),
      let salt = Base64.standard.decode(parts[3]), Self.saltCounts.contains(salt.count),
      let derived = Base64.standard.decode(parts[4]), Self.derivedCounts.contains(derived.count)
    else { return nil }
    self.init(cost: cost, salt: salt, derived: derived)
  }

  private init(cost: ScryptCost, salt: [UInt8], derived: [UInt8]) {
    self.cost = cost
    self.salt = salt
    self.derived = derived
  }

  /// Hashes `password` with a new salt.
  public static func make(of password: Secret, cost: ScryptCost = .usual) throws(CryptographyError) -> PasswordHash {
    let salt = try RandomBytes.make(saltCount)
    return PasswordHash(cost: cost, salt: salt, derived: try derive(derivedCount, password, salt, cost))
  }

  /// A hash of no password, which takes as long to compare with as any other of this cost: for users that do not exist.
  public static func decoy(cost: ScryptCost) throws(CryptographyError) -> PasswordHash {
    PasswordHash(cost: cost, salt: try RandomBytes.make(saltCount), derived: try RandomBytes.make(derivedCount))
  }

  /// Whether it is the hash of `password`. Takes the time and memory that ``cost`` says; the time does not depend on the
  /// result.
  public func matches(_ password: Secret) throws(CryptographyError) -> Bool {
    let other = try Self.derive(derived.count, password, salt, cost)
    return unsafe CRYPTO_memcmp(derived, other, derived.count) == 0
  }

  /// The hash in the PHC string format.
  public var text: String {
    let encoded = [salt, derived].map { Base64.standard.encode($0) }
    return "$scrypt$ln=\(cost.logN),r=\(cost.r),p=\(cost.p)$\(encoded[0])$\(encoded[1])"
  }

  private static func cost(_ text: some StringProtocol) -> ScryptCost? {
    let values = text.split(separator: ",", omittingEmptySubsequences: false)
    guard values.count == 3, let logN = number(values[0], "ln="), let r = number(values[1], "r="),
      let p = number(values[2], "p=")
    else { return nil }
    return ScryptCost(logN: logN, r: r, p: p)
  }

  private static func number(_ text: some StringProtocol, _ name: String) -> Int? {
    let digits = text.dropFirst(name.count)
    guard text.hasPrefix(name), (1...9).contains(digits.utf8.count),
      digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
    else { return nil }
    return Int(digits)
  }

  private static func derive(
    _ count: Int, _ password: Secret, _ salt: [UInt8], _ cost: ScryptCost
  ) throws(CryptographyError) -> [UInt8] {
    var derived = [UInt8](repeating: 0, count: count)
    let status = password.withBytes { password in
      unsafe password.withUnsafeBytes { password in
        let start = unsafe password.baseAddress?.assumingMemoryBound(to: CChar.self)
        return unsafe EVP_PBE_scrypt(
          start, password.count, salt, salt.count, 1 << UInt64(cost.logN), UInt64(cost.r), UInt64(cost.p),
          UInt64(2 * ScryptCost.mostMemory), &derived, count)
      }
    }
    guard status == 1 else { throw CryptographyError("scrypt") }
    return derived
  }
}

extension PasswordHash: CustomStringConvertible, CustomReflectable {
  /// `<redacted>`, always.
  public var description: String { "<redacted>" }
  /// A mirror without children: reflection shows nothing of the hash either.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}
