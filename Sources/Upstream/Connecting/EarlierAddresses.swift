internal import Addresses

/// The addresses of a name that were not in its last answer, and count as its own all the same: a value.
///
/// DNS servers with many addresses answer with some of them, each time with others. So an address is lost when it is missing
/// from two answers, one after the other; where addresses are known to come back, from ten. One that could not be connected
/// to is lost as soon as it is missing.
struct EarlierAddresses {
  /// From so many answers an address has to be missing, one after the other.
  static var patience: Int { 2 }
  /// The same for a name whose addresses have come back. Of a random choice of 8 out of 20, one is missing ten times in a row
  /// in 0.6 % of all cases.
  static var longPatience: Int { 10 }
  /// How many addresses are remembered for a name, besides those of its last answer.
  static var limit: Int { 64 }

  /// From how many answers each is missing now, those at the end that are missing for longest.
  private var missing: [(address: IPAddress, answers: Int)] = []
  /// Those of the last answer that could not be connected to, and were not since.
  private var failed: [IPAddress] = []
  /// For so many answers the name is taken for one whose addresses come back.
  private var rest = 0

  /// The addresses.
  var addresses: [IPAddress] { missing.map(\.address) }

  /// The name had the addresses `old`, and an answer says that it has `new`.
  ///
  /// - Parameter counts: whether what is missing already is missing from one answer more.
  mutating func replace(_ old: [IPAddress], by new: [IPAddress], counts: Bool) {
    let more = counts ? 1 : 0
    let hasReturned = missing.contains { new.contains($0.address) }
    rest = hasReturned ? Self.longPatience : max(0, rest - more)
    let patience = rest > 0 ? Self.longPatience : Self.patience
    let gone = old.filter { !new.contains($0) && !failed.contains($0) }.map { (address: $0, answers: 1) }
    let longer = missing.filter { !new.contains($0.address) }.map { (address: $0.address, answers: $0.answers + more) }
    missing = Array((gone + longer).filter { $0.answers < patience }.prefix(Self.limit))
    failed.removeAll { !new.contains($0) }
  }

  /// A connection to `address` could not be made; `current` are the addresses of the last answer.
  mutating func failed(_ address: IPAddress, of current: [IPAddress]) {
    missing.removeAll { $0.address == address }
    if current.contains(address), !failed.contains(address) { failed.append(address) }
  }

  /// A connection to `address` was made.
  mutating func worked(_ address: IPAddress) { failed.removeAll { $0 == address } }
}
