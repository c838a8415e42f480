internal import Cryptography
internal import Secrets

/// Pairs of user and password that wait to be looked at: the clients take turns, and the users of each client. A client that
/// sends many waits longer, and when no place is free it loses one to a client that has few.
struct PasswordQueue {
  /// A pair that waits.
  struct Entry {
    let pair: KeyedDigest.Value
    let guesser: Guesser
    let user: String
    let password: Secret
    /// The address it came from, for the log.
    let peer: String
    /// Whether it was refused a moment ago, and is sent again.
    var cameBefore = false
  }

  /// What became of a pair that was to wait.
  enum Admission {
    /// It waits.
    case waits
    /// It waits, in the place of another.
    case displaces(Entry)
    /// It does not: others have as good a right to the places.
    case isRefused
  }

  private struct Line {
    let user: Int
    var entries: [Entry]
  }

  private struct Client {
    let address: ClientAddress
    var lines: [Line]
    var count: Int { lines.reduce(0) { $0 + $1.entries.count } }
  }

  /// How many wait at most. At half a tenth of a second each, the last one waits as long as a request does.
  static let most = 40
  /// How many of one client and user: an application has one password.
  static let mostOfGuesser = 4

  // Each in the order of their turns; few enough to be looked through.
  private var clients: [Client] = []
  private(set) var count = 0

  /// Takes what is next to be looked at: of the client whose turn it is, what has come before.
  mutating func next() -> Entry? {
    guard !clients.isEmpty else { return nil }
    var client = clients.removeFirst()
    var line = client.lines.remove(at: client.lines.firstIndex { $0.entries.contains(where: \.cameBefore) } ?? 0)
    let entry = line.entries.remove(at: line.entries.firstIndex(where: \.cameBefore) ?? 0)
    if !line.entries.isEmpty { client.lines.append(line) }
    if !client.lines.isEmpty { clients.append(client) }
    count -= 1
    return entry
  }

  /// Lets `entry` wait, if there is a place.
  mutating func add(_ entry: Entry) -> Admission {
    var displaced: Entry?
    if entries(of: entry.guesser) >= Self.mostOfGuesser {
      guard let place = oneThatYields(to: entry, where: { $0.guesser == entry.guesser }) else { return .isRefused }
      displaced = remove(place)
    } else if count >= Self.most {
      guard let place = placeInFullQueue(for: entry) else { return .isRefused }
      displaced = remove(place)
    }
    insert(entry)
    return displaced.map(Admission.displaces) ?? .waits
  }

  // MARK: Places

  private typealias Place = (client: Int, line: Int, entry: Int)

  private func entries(of client: ClientAddress) -> Int { clients.first { $0.address == client }?.count ?? 0 }

  private func entries(of guesser: Guesser) -> Int {
    let lines = clients.first { $0.address == guesser.client }?.lines
    return lines?.first { $0.user == guesser.user }?.entries.count ?? 0
  }

  /// The newest pair of the client that has most, and of its user that has most, if they have more than `entry` would give its
  /// own; else one that has come for the first time, where `entry` has not.
  private func placeInFullQueue(for entry: Entry) -> Place? {
    let own = entries(of: entry.guesser.client)
    // Of several with as many: its own, or the one whose turn is last.
    guard let most = clients.map(\.count).max(),
      let client = clients.lastIndex(where: {
        own == most ? $0.address == entry.guesser.client : $0.count == most
      })
    else { return nil }
    let lines = clients[client].lines
    let longest = lines.map(\.entries.count).max() ?? 0
    let isUnfair = own == most ? entries(of: entry.guesser) + 1 < longest : own + 1 < most
    if isUnfair, let line = lines.lastIndex(where: { $0.entries.count == longest }) {
      return (client, line, longest - 1)
    }
    return oneThatYields(to: entry) { other in
      other.guesser.client == entry.guesser.client || own < entries(of: other.guesser.client)
    }
  }

  /// The newest pair for which `condition` holds and that has come for the first time, where `entry` has not.
  private func oneThatYields(to entry: Entry, where condition: (Entry) -> Bool) -> Place? {
    guard entry.cameBefore else { return nil }
    for client in clients.indices.reversed() {
      for line in clients[client].lines.indices.reversed() {
        let entries = clients[client].lines[line].entries
        if let index = entries.lastIndex(where: { !$0.cameBefore && condition($0) }) { return (client, line, index) }
      }
    }
    return nil
  }

  private mutating func remove(_ place: Place) -> Entry {
    let entry = clients[place.client].lines[place.line].entries.remove(at: place.entry)
    if clients[place.client].lines[place.line].entries.isEmpty { clients[place.client].lines.remove(at: place.line) }
    if clients[place.client].lines.isEmpty { clients.remove(at: place.client) }
    count -= 1
    return entry
  }

  private mutating func insert(_ entry: Entry) {
    count += 1
    let line = Line(user: entry.guesser.user, entries: [entry])
    guard let client = clients.firstIndex(where: { $0.address == entry.guesser.client }) else {
      return clients.append(Client(address: entry.guesser.client, lines: [line]))
    }
    guard let known = clients[client].lines.firstIndex(where: { $0.user == line.user }) else {
      return clients[client].lines.append(line)
    }
    clients[client].lines[known].entries.append(entry)
  }
}
