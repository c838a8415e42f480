/// All that servers may make of one path.
///
/// The proxy forwards a path as it was sent, and servers read paths differently: they percent-decode once, twice or in
/// part, take `\` for `/`, merge slashes, remove dot segments, drop `;parameters`, or stop at an encoded NUL. So a rule
/// that is chosen by a path holds only if every reading of that path leads to the same rule.
///
/// The readings are followed side by side, as the states of an automaton that walks a ``PathTree``. Each choice is made
/// anew for each character, so combinations are covered that no list of known servers has. The work is linear in the
/// path's length and bounded.
public struct PathReadings {
  /// What the readings of a path have in common.
  public enum Verdict: Equatable {
    /// All of them lead to the same outcome.
    case same
    /// One leads out of the directory that they are confined to.
    case leaves(reading: String)
    /// One leads to another outcome; nil stands for none at all.
    case differs(Int?, reading: String)
    /// There are more than are looked at.
    case tooMany
  }

  /// Where the readings of a path begin, and what is expected of them.
  public struct Question {
    /// The prefix that covers the path as it was sent, which its author wrote and nobody reads in another way; nil where
    /// none does.
    public var prefix: PathPrefix?
    /// Whether no reading may lead out of ``prefix``.
    public var isConfined: Bool
    /// The outcome that all readings must have; nil for none.
    public var expected: Int?

    /// A question of these parts.
    public init(prefix: PathPrefix?, isConfined: Bool, expected: Int?) {
      (self.prefix, self.isConfined, self.expected) = (prefix, isConfined, expected)
    }
  }

  /// Whether servers may read `path` in more than one way. False for nearly all paths, and quick.
  public static func exist(of path: Span<UInt8>) -> Bool {
    guard !isPlain(path) else { return false }
    var previous: UInt8 = 0
    for index in path.indices {
      let byte = path[index]
      switch byte {
      case UInt8(ascii: "%"), UInt8(ascii: "\\"), UInt8(ascii: ";"), 0x80...: return true
      case UInt8(ascii: "/") where previous == UInt8(ascii: "/") || previous == UInt8(ascii: "."): return true
      case UInt8(ascii: ".") where previous == UInt8(ascii: "/"): return true
      default: previous = byte
      }
    }
    return previous == UInt8(ascii: ".")
  }

  /// Whether a path of eight bytes or more has nothing at all that ``exist(of:)`` looks for, eight bytes at a time.
  @inline(__always)
  private static func isPlain(_ path: Span<UInt8>) -> Bool {
    guard path.count >= 8 else { return false }
    var offset = 0
    var endsWithSlash: UInt64 = 0
    while true {
      let word = unsafe path.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self).littleEndian
      let slashes = places(of: UInt8(ascii: "/"), in: word)
      let others =
        places(of: UInt8(ascii: "%"), in: word) | places(of: UInt8(ascii: "."), in: word)
        | places(of: UInt8(ascii: ";"), in: word) | places(of: UInt8(ascii: "\\"), in: word) | word & highBits
      guard others | slashes & (slashes &<< 8 | endsWithSlash) == 0 else { return false }
      guard offset &+ 8 < path.count else { return true }
      endsWithSlash = offset &+ 16 <= path.count ? slashes &>> 56 : 0
      // The last word overlaps the one before it.
      offset = min(offset &+ 8, path.count &- 8)
    }
  }

  private static var highBits: UInt64 { 0x8080_8080_8080_8080 }

  /// The highest bit of each byte of `word` that is `byte`.
  @inline(__always)
  private static func places(of byte: UInt8, in word: UInt64) -> UInt64 {
    let difference = word ^ UInt64(byte) &* 0x0101_0101_0101_0101
    return ~((difference & ~highBits) &+ ~highBits | difference) & highBits
  }

  /// Compares what the readings of `path` lead to.
  ///
  /// - Parameter outcome: the outcome for the value of a prefix in `tree`; nil where that prefix does not count.
  public static func compare(
    _ path: Span<UInt8>, in tree: PathTree, _ question: Question, outcome: (Int) -> Int?
  ) -> Verdict {
    guard path.count > 0, path[0] == UInt8(ascii: "/") else { return .same }
    return withoutActuallyEscaping(outcome) { outcome in
      var readings = PathReadings(tree, question, outcome)
      let verdict = readings.run(path)
      guard verdict != .same, verdict != .tooMany else { return verdict }
      // Only a refusal needs words: those who guess at paths do not make the proxy keep notes.
      var again = PathReadings(tree, question, outcome)
      again.takesNotes = true
      return again.run(path)
    }
  }

  private let tree: PathTree
  private let question: Question
  private let outcome: (Int) -> Int?
  private let start: Int
  private var takesNotes = false
  /// The states of all offsets: each has the position of the next one at the same offset.
  private var states: [(state: State, next: Int32)] = []
  private var first: [Int32] = []
  private var work = 0
  private var verdict = Verdict.same

  /// How many steps are made at most: more than any honest path needs, and about a millisecond.
  private static var mostWork: Int { 200_000 }

  private init(_ tree: PathTree, _ question: Question, _ outcome: @escaping (Int) -> Int?) {
    (self.tree, self.question, self.outcome) = (tree, question, outcome)
    start = tree.node(of: question.prefix)
  }

  private mutating func run(_ path: Span<UInt8>) -> Verdict {
    first = Array(repeating: -1, count: path.count + 1)
    // Behind the slash that ends the prefix, or begins the path.
    let length = question.prefix?.length ?? 0
    let begins = length > 0 && path[length - 1] == UInt8(ascii: "/") ? length : length + 1
    guard begins <= path.count else { return .same }
    var state = State(directory: start, children: tree.nodes[start].children.indices)
    if takesNotes { for index in 0..<begins { state.notes.append(path[index]) } }
    add(state, at: begins)
    var characters = PathCharacters(path)
    guard !characters.isTooDeep else { return .tooMany }
    var found: [PathCharacter] = []
    for offset in begins..<path.count {
      found.removeAll(keepingCapacity: true)
      characters.visit(at: offset) { found.append($0) }
      var index = first[offset]
      while index >= 0 {
        let (state, next) = states[Int(index)]
        for character in found { read(character, state) }
        work += found.count
        index = next
        guard verdict == .same else { return verdict }
      }
      guard work <= Self.mostWork else { return .tooMany }
    }
    var index = first[path.count]
    while index >= 0, verdict == .same {
      let (state, next) = states[Int(index)]
      end(state)
      index = next
    }
    return verdict
  }

  // MARK: Characters

  private mutating func read(_ character: PathCharacter, _ state: State) {
    guard case .byte(let byte) = character.meaning else { return add(state, at: character.end) }
    switch byte {
    case UInt8(ascii: "/"), UInt8(ascii: "\\"):
      for ending in endings(of: state) { add(state.next(after: ending, in: tree, takesNotes), at: character.end) }
      if state.shape == .empty, state.directory == start, state.below == 0 {
        // At the beginning, which is here where a mount is taken off, two slashes introduce a host to parsers of URLs
        // (RFC 3986 section 4.2). It ends at the next slash.
        var host = state
        host.isSkipped = true
        add(host, at: character.end)
      }
      // A path that was split before it was decoded has it in a segment.
      if byte == UInt8(ascii: "\\") || character.isEncoded { append(byte, state, character.end) }
    case UInt8(ascii: ";"):
      var parameters = state
      parameters.isSkipped = true
      add(parameters, at: character.end)
      append(byte, state, character.end)
    case 0..<0x20, 0x7f, UInt8(ascii: "?"), UInt8(ascii: "#"):
      if character.isEncoded { end(state) }
      append(byte, state, character.end)
    default:
      append(byte, state, character.end)
    }
  }

  private mutating func append(_ byte: UInt8, _ state: State, _ offset: Int) {
    var state = state
    if !state.isSkipped {
      state.append(byte, in: tree)
      if takesNotes { state.notes.appendToSegment(byte) }
    }
    add(state, at: offset)
  }

  private mutating func add(_ state: State, at offset: Int) {
    var index = first[offset]
    while index >= 0 {
      let (known, next) = states[Int(index)]
      if known.isLike(state) {
        if state.below < known.below { states[Int(index)].state = state }
        return
      }
      work += 1
      index = next
    }
    states.append((state, first[offset]))
    first[offset] = Int32(states.count - 1)
  }

  // MARK: Segments

  /// What the segment that ends here may be to some server.
  private mutating func endings(of state: State) -> [Ending] {
    var endings: [Ending] = []
    let here = Ending(directory: state.directory, below: state.below, isName: false, segment: .dropped)
    if state.shape.mayBeLeftOut { endings.append(here) }
    if state.shape.mayLeadUp {
      var up = here
      up.segment = .parent
      if state.below > 0 {
        up.below -= 1
        endings.append(up)
        // Only the least depth is known: a reading that was deeper is still below the tree.
        if up.below == 0 {
          up.below = 1
          endings.append(up)
        }
      } else if question.isConfined, state.directory == start {
        verdict = .leaves(reading: state.next(after: up, in: tree, takesNotes).notes.reading)
      } else {
        // Above the root there is nothing.
        up.directory = tree.nodes[state.directory].parent
        endings.append(up)
      }
    }
    let exact = tree.exact(state.children, of: state.directory, length: state.length)
    for child in [exact, state.trimmed == exact ? nil : state.trimmed] {
      guard let child else { continue }
      var named = Ending(directory: child, below: 0, isName: true, segment: .kept)
      named.isTrimmed = child != exact
      endings.append(named)
    }
    if exact == nil {
      endings.append(Ending(directory: state.directory, below: state.below + 1, isName: false, segment: .kept))
    }
    return endings
  }

  /// The path ends here.
  private mutating func end(_ state: State) {
    if state.shape == .empty { return conclude(state.directory, isName: false, state.notes) }
    for ending in endings(of: state) {
      let notes =
        ending.segment == .kept ? state.notes.named(ending) : state.next(after: ending, in: tree, takesNotes).notes
      conclude(ending.directory, isName: ending.isName, notes)
    }
  }

  private mutating func conclude(_ directory: Int, isName: Bool, _ notes: Notes) {
    guard verdict == .same else { return }
    var found: Int?
    var isDisputed = false
    tree.visitPrefixes(covering: directory, isName: isName) { values in
      for value in values {
        guard let outcome = outcome(value) else { continue }
        if let found, found != outcome { isDisputed = true }
        found = outcome
      }
      return found != nil
    }
    if found != question.expected || isDisputed { verdict = .differs(found, reading: notes.reading) }
  }
}

// MARK: - State

/// What becomes of a segment in a reading.
private enum Segment {
  case kept, dropped, parent
}

/// Where a reading is behind a segment.
private struct Ending {
  var directory: Int
  var below: Int
  /// Whether the segment is the name of ``directory``.
  var isName: Bool
  var segment: Segment
  /// Whether it is that without the spaces, tabs and dots at its end.
  var isTrimmed = false
}

/// What a segment consists of so far.
private enum Shape {
  case empty, dot, dotDot
  /// Spaces, tabs and dots, which Windows takes off the end of a name.
  case padding
  /// Two dots and more of those.
  case paddedDotDot
  case name

  /// Whether some server treats such a segment as if it were not there.
  var mayBeLeftOut: Bool { self != .name && self != .dotDot }
  /// Whether some server takes such a segment for the parent directory.
  var mayLeadUp: Bool { self == .dotDot || self == .paddedDotDot }
}

/// One way to read a path up to some offset.
private struct State {
  /// The deepest directory of the tree that the reading is in.
  let directory: Int
  /// How many segments below that it is, at least. Only a literal slash adds one in every reading.
  var below = 0
  var shape = Shape.empty
  /// The children of ``directory`` whose names begin with the segment so far; empty below the tree.
  var children: Range<Int>
  /// How many bytes of those names were read.
  var length = 0
  /// The child whose name the segment is without the spaces, tabs and dots at its end.
  var trimmed: Int?
  /// Whether what follows counts for nothing up to the next slash, as parameters do.
  var isSkipped = false
  var notes = Notes()

  init(directory: Int, children: Range<Int>) {
    (self.directory, self.children) = (directory, children)
  }

  /// Whether the same may become of both, but for what depth decides.
  func isLike(_ other: State) -> Bool {
    directory == other.directory && (below > 0) == (other.below > 0) && shape == other.shape
      && children == other.children && length == other.length && trimmed == other.trimmed
      && isSkipped == other.isSkipped
  }

  mutating func append(_ byte: UInt8, in tree: PathTree) {
    let isDot = byte == UInt8(ascii: ".")
    let isPadding = isDot || byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    switch shape {
    case .empty: shape = isDot ? .dot : isPadding ? .padding : .name
    case .dot: shape = isDot ? .dotDot : isPadding ? .padding : .name
    case .dotDot, .paddedDotDot: shape = isPadding ? .paddedDotDot : .name
    case .padding: shape = isPadding ? .padding : .name
    case .name: break
    }
    trimmed = isPadding ? trimmed ?? tree.exact(children, of: directory, length: length) : nil
    guard !children.isEmpty else { return }
    let read = tree.ignoresCase ? PathCharacters.lowercased(byte) : byte
    children = tree.narrow(children, of: directory, to: read, at: length)
    // One value for all that have left the tree, so that they are alike.
    if children.isEmpty { (children, length) = (0..<0, 0) } else { length += 1 }
  }

  /// The state behind the slash that ends the segment.
  func next(after ending: Ending, in tree: PathTree, _ takesNotes: Bool) -> State {
    let children = ending.below == 0 ? tree.nodes[ending.directory].children.indices : 0..<0
    var next = State(directory: ending.directory, children: children)
    next.below = ending.below
    if takesNotes { next.notes = notes.named(ending).ended(ending.segment) }
    return next
  }
}

/// The text of a reading, for the message of a refusal.
private struct Notes {
  private var text: [UInt8] = []
  private var segmentStart = 0

  /// Adds a byte of the path up to where readings begin.
  mutating func append(_ byte: UInt8) {
    text.append(byte)
    segmentStart = text.count
  }

  mutating func appendToSegment(_ byte: UInt8) {
    if byte > 0x20, byte < 0x7f, byte != UInt8(ascii: "/") {
      text.append(byte)
    } else {
      text += Array("%\(byte < 16 ? "0" : "")\(String(byte, radix: 16, uppercase: true))".utf8)
    }
  }

  /// What was read up to the end of a segment, as it counts.
  func named(_ ending: Ending) -> Notes {
    guard ending.isTrimmed else { return self }
    var named = self
    while let padding = ["%20", "%09", "."].first(where: { named.text.suffix($0.utf8.count).elementsEqual($0.utf8) }) {
      named.text.removeLast(padding.utf8.count)
    }
    return named
  }

  func ended(_ segment: Segment) -> Notes {
    var ended = self
    switch segment {
    case .kept: ended.text.append(UInt8(ascii: "/"))
    case .dropped: ended.text.removeSubrange(segmentStart...)
    case .parent:
      ended.text.removeSubrange(segmentStart...)
      if ended.text.count > 1 {
        ended.text.removeLast()
        while let last = ended.text.last, last != UInt8(ascii: "/") { ended.text.removeLast() }
      }
    }
    ended.segmentStart = ended.text.count
    return ended
  }

  var reading: String { String(decoding: text, as: UTF8.self) }
}
