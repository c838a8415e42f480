/// What one derivation with scrypt costs (RFC 7914): whoever guesses passwords pays it for every guess.
public struct ScryptCost: Sendable, Hashable {
  /// The cost that is usual: 32 MB, and about a tenth of a second.
  public static let usual = ScryptCost(logN: 15, r: 8, p: 1)!

  /// The logarithm of N, to the base of two.
  public let logN: Int
  /// The size of a block, in units of 128 bytes.
  public let r: Int
  /// How many times it is done.
  public let p: Int

  /// The most memory that a derivation may take: whoever writes proxy.conf could make the proxy allocate all there is.
  public static let mostMemory = 128 << 20

  // Below it a password of eight letters is found in an afternoon.
  private static let leastLogN = 10
  private static let mostRepetitions = 8

  /// The cost with these parameters; nil where they cost next to nothing, or more than ``mostMemory``, or far too long.
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
