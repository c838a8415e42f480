/// A hash of bytes as they come: Fowler, Noll and Vo's, variant 1a. What is hashed is short, and whoever could make
/// things collide writes proxy.conf.
struct FNV1a {
  private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  mutating func add(_ byte: UInt8) {
    value = (value ^ UInt64(byte)) &* 0x100_0000_01b3
  }
}
