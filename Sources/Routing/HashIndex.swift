/// Positions in an array that the caller keeps, by the hashes of its elements.
struct HashIndex: Sendable {
  private var hashes: [UInt64] = []
  // Positions, plus one; 0 is free. Open addressing, at most half full.
  private var slots: [Int32] = [0]

  /// The position with that hash where `isEqual` holds, too.
  func position(of hash: UInt64, where isEqual: (Int) -> Bool) -> Int? {
    var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
    while slots[slot] != 0 {
      let position = Int(slots[slot]) - 1
      if hashes[position] == hash, isEqual(position) { return position }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  /// Adds the next position.
  mutating func append(_ hash: UInt64) {
    hashes.append(hash)
    guard hashes.count * 2 > slots.count else { return insert(hashes.count - 1) }
    slots = Array(repeating: 0, count: max(8, slots.count * 4))
    for position in hashes.indices { insert(position) }
  }

  private mutating func insert(_ position: Int) {
    var slot = Int(truncatingIfNeeded: hashes[position]) & (slots.count - 1)
    while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
    slots[slot] = Int32(position + 1)
  }
}

/// The FNV-1a hash (Fowler, Noll, Vo). Keys are short, and only the author of proxy.conf could make them collide.
struct FNV1a {
  private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  mutating func add(_ byte: UInt8) {
    value = (value ^ UInt64(byte)) &* 0x100_0000_01b3
  }
}
