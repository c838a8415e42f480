internal import Encodings

/// Values by host name. A look-up does not create a string of the request's name.
public struct HostTable<Value: Sendable>: Sendable {
  private var hosts: [(name: [UInt8], value: Value)] = []
  private var index = HashIndex()

  /// An empty table.
  public init() {}

  /// The value for `host` in any case, with or without the final dot of an absolute name.
  public func value(for host: Span<UInt8>) -> Value? {
    let name = 0..<Self.significantLength(of: host)
    return position(of: host, name, Self.hash(host, name)).map { hosts[$0].value }
  }

  /// The value for the longest domain above `host`, by one label or more, that `accepts` accepts.
  public func value(above host: Span<UInt8>, where accepts: (Value) -> Bool) -> Value? {
    guard !hosts.isEmpty else { return nil }
    let end = Self.significantLength(of: host)
    var hash = FNV1a()
    var found: Value?
    // From the right: the hash of each longer domain extends the hash of the shorter one.
    for start in stride(from: end - 1, to: 0, by: -1) {
      if host[start] == UInt8(ascii: "."), let position = position(of: host, start + 1..<end, hash),
        accepts(hosts[position].value)
      {
        found = hosts[position].value
      }
      hash.add(host[start].asciiLowercased)
    }
    return found
  }

  /// Calls `change` to set the value for `host`, which is in lower case and without a final dot.
  public mutating func update(_ host: String, default value: Value, _ change: (inout Value) -> Void) {
    let bytes = Array(host.utf8)
    let hash = Self.hash(bytes.span, bytes.indices)
    if let position = position(of: bytes.span, bytes.indices, hash) { return change(&hosts[position].value) }
    var value = value
    change(&value)
    hosts.append((bytes, value))
    index.append(hash.value)
  }

  private func position(of host: Span<UInt8>, _ name: Range<Int>, _ hash: FNV1a) -> Int? {
    index.position(of: hash.value) { Self.equal(hosts[$0].name, host, name) }
  }

  private static func significantLength(of host: Span<UInt8>) -> Int {
    guard host.count > 0, host[host.count - 1] == UInt8(ascii: ".") else { return host.count }
    return host.count - 1
  }

  // From the last byte to the first.
  private static func hash(_ host: Span<UInt8>, _ name: Range<Int>) -> FNV1a {
    var hash = FNV1a()
    for position in name.reversed() { hash.add(host[position].asciiLowercased) }
    return hash
  }

  private static func equal(_ known: [UInt8], _ host: Span<UInt8>, _ name: Range<Int>) -> Bool {
    guard known.count == name.count else { return false }
    for index in known.indices where known[index] != host[name.lowerBound + index].asciiLowercased { return false }
    return true
  }
}

/// Positions in an array of the caller, by the hashes of its elements.
struct HashIndex: Sendable {
  private var hashes: [UInt64] = []
  // Positions, plus one; 0 is free. Open addressing, at most half full.
  private var slots: [Int32] = [0]

  /// The position with that hash for which `isEqual` holds.
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
