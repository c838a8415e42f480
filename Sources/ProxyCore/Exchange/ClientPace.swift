/// Whether a client moves enough: it may fall behind its least rate by some time, and whoever is slower than that rate
/// for long falls behind further and further, however short the pauses are.
struct ClientPace {
  /// For how many nanoseconds longer the client was waited for than its bytes are worth.
  private(set) var behind: UInt64 = 0

  // What a byte is worth, in nanoseconds; nil where there is no least rate.
  private let worth: UInt64?
  private var moved: UInt64 = 0

  /// - Parameter rate: the least that a client must move, in bytes per second; nil for no such bound.
  init(rate: Int?) {
    worth = rate.map { 1_000_000_000 / UInt64(max(1, $0)) }
  }

  /// The client was waited for.
  mutating func waited(nanoseconds: UInt64) {
    guard worth != nil else { return }
    behind = behind.addingReportingOverflow(nanoseconds).partialValue
  }

  /// The client has moved `total` bytes since the beginning. Being early earns nothing for later.
  mutating func moved(total: UInt64) {
    guard let worth, total > moved else { return }
    let earned = (total - moved).multipliedReportingOverflow(by: worth)
    moved = total
    behind -= earned.overflow ? behind : min(behind, earned.partialValue)
  }
}
