/// Values by host name, found without making a string of the name in a request.
struct HostTable<Value: Sendable>: Sendable {
  private struct Entry {
    let host: [UInt8]
    let hash: UInt64
    var value: Value
  }

  private var entries: [Entry] = []
  // Positions in `entries`, plus one; 0 is free. Open addressing, at most half full.
  private var slots: [Int32] = [0]

  /// The value for `host` in any case, with or without the dot that ends an absolute name.
  func value(for host: Span<UInt8>) -> Value? {
    let name = 0..<Self.significantLength(of: host)
    return index(of: host, name, Self.hash(host, name)).map { entries[$0].value }
  }

  /// The value for the longest domain that `host` lies below, by one label or more, of those that `accepts` takes.
  func value(above host: Span<UInt8>, where accepts: (Value) -> Bool) -> Value? {
    guard !entries.isEmpty else { return nil }
    let end = Self.significantLength(of: host)
    var hash = Self.emptyHash
    var found: Value?
    // From the right: the hash of each domain on the way is that of the shorter one, and a little more.
    for position in stride(from: end - 1, to: 0, by: -1) {
      if host[position] == UInt8(ascii: "."), let index = index(of: host, position + 1..<end, hash),
        accepts(entries[index].value)
      {
        found = entries[index].value
      }
      hash = Self.hash(hash, host[position])
    }
    return found
  }

  /// Lets `change` set the value for `host`, which is in lower case and without a final dot.
  mutating func update(_ host: String, default value: Value, _ change: (inout Value) -> Void) {
    let bytes = Array(host.utf8)
    let hash = Self.hash(bytes.span, bytes.indices)
    if let index = index(of: bytes.span, bytes.indices, hash) { return change(&entries[index].value) }
    var entry = Entry(host: bytes, hash: hash, value: value)
    change(&entry.value)
    entries.append(entry)
    rebuild()
  }

  private func index(of host: Span<UInt8>, _ name: Range<Int>, _ hash: UInt64) -> Int? {
    var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
    while slots[slot] != 0 {
      let index = Int(slots[slot]) - 1
      if entries[index].hash == hash, Self.equal(entries[index].host, host, name) { return index }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  private mutating func rebuild() {
    guard entries.count * 2 > slots.count else { return insert(entries.count - 1) }
    slots = Array(repeating: 0, count: max(8, slots.count * 4))
    for index in entries.indices { insert(index) }
  }

  private mutating func insert(_ index: Int) {
    var slot = Int(truncatingIfNeeded: entries[index].hash) & (slots.count - 1)
    while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
    slots[slot] = Int32(index + 1)
  }

  private static func significantLength(of host: Span<UInt8>) -> Int {
    guard host.count > 0, host[host.count - 1] == UInt8(ascii: ".") else { return host.count }
    return host.count - 1
  }

  private static func lowercased(_ byte: UInt8) -> UInt8 {
    byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
  }

  // FNV-1a, from the last byte to the first: names are short, and whoever could make them collide writes proxy.conf.
  private static func hash(_ host: Span<UInt8>, _ name: Range<Int>) -> UInt64 {
    var hash = emptyHash
    for index in name.reversed() { hash = Self.hash(hash, host[index]) }
    return hash
  }

  private static var emptyHash: UInt64 { 0xcbf2_9ce4_8422_2325 }

  private static func hash(_ hash: UInt64, _ byte: UInt8) -> UInt64 {
    (hash ^ UInt64(lowercased(byte))) &* 0x100_0000_01b3
  }

  private static func equal(_ known: [UInt8], _ host: Span<UInt8>, _ name: Range<Int>) -> Bool {
    guard known.count == name.count else { return false }
    for index in known.indices where known[index] != lowercased(host[name.lowerBound + index]) { return false }
    return true
  }
}
