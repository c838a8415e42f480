internal import Encodings

/// Follows all readings of one path at the same time, as states that walk a ``PathTree``.
///
/// Each choice is made anew for each character, so combinations are covered that no list of known servers has. The work is
/// linear in the path's length and bounded. Every state knows the one that it came from, so that the text of a reading is
/// put together only for the message of a refusal.
struct PathAutomaton {
  /// A state, and how it came about.
  private struct Step {
    var state: State
    /// The position of the state that it came from; negative for the first one.
    var from: Int32
    var event: Event
    /// Up to where the path was read.
    let offset: Int32
    /// The next state at the same offset; negative for the last one.
    let next: Int32
  }

  private let tree: PathTree
  private let question: PathReadings.Question
  private let outcome: (Int) -> Int?
  /// The directories in which readings begin.
  private let starts: [Int]
  /// Whether states that differ only in how deep they are below the tree become one, which keeps the work linear.
  private let mergesDepths: Bool
  private var steps: [Step] = []
  /// The first state at each offset; negative where there is none.
  private var first: [Int32] = []
  private var hasTickets = false
  private var work = 0
  private var verdict = PathReadings.Verdict.same

  /// How many steps are made at most, which takes about 1.5 milliseconds. A path of 16 KB in which every byte is
  /// percent-encoded takes fewer.
  private static var mostWork: Int { 30_000 }

  init(
    _ tree: PathTree, _ question: PathReadings.Question, _ outcome: @escaping (Int) -> Int?, mergesDepths: Bool = true
  ) {
    (self.tree, self.question, self.outcome, self.mergesDepths) = (tree, question, outcome, mergesDepths)
    starts = tree.nodes(of: question.prefix)
  }

  mutating func run(_ path: Span<UInt8>) -> PathReadings.Verdict {
    // Behind the slash that ends the prefix, or begins the path.
    let length = question.prefix?.length ?? 0
    let begins = length > 0 && path[length - 1] == UInt8(ascii: "/") ? length : length + 1
    guard begins <= path.count else { return atPrefixItself(path) }
    guard !staysInside(path, from: begins) else { return .same }
    var characters = PathCharacters(path, ignoresCase: tree.ignoresCase)
    guard !characters.isTooDeep else { return .tooMany }
    hasTickets = characters.hasParenthesis
    first = Array(repeating: -1, count: path.count + 1)
    for start in starts {
      add(State(directory: start, children: tree.nodes[start].children.indices), .began, from: -1, at: begins)
    }
    var found: [PathCharacter] = []
    var offset = begins
    while offset < path.count {
      let byte = path[offset]
      if Self.isPlain(byte) {
        // Such a byte is the same to all servers, and many of them in a row change nothing.
        if first[offset] >= 0 { readPlain(byte, at: offset, path) }
      } else {
        found.removeAll(keepingCapacity: true)
        work += characters.visit(at: offset) { found.append($0) }
        var index = first[offset]
        while index >= 0 {
          for character in found { read(character, index, path) }
          work += found.count
          index = steps[Int(index)].next
          guard verdict == .same else { return verdict }
        }
      }
      guard work <= Self.mostWork else { return .tooMany }
      offset += 1
    }
    var index = first[path.count]
    while index >= 0, verdict == .same {
      finish(index, path)
      index = steps[Int(index)].next
    }
    return verdict
  }

  /// Where `path` is the prefix that covers it, its readings have what that has.
  private func atPrefixItself(_ path: Span<UInt8>) -> PathReadings.Verdict {
    for start in starts {
      let (found, isExpected) = conclusion(start, isName: true)
      if !isExpected { return .differs(found, reading: question.prefix?.text ?? "/") }
    }
    return .same
  }

  /// Whether `path` has too few dots, however encoded, to lead up from where readings begin, and there is nothing below to
  /// lead down to. Sure if true.
  private func staysInside(_ path: Span<UInt8>, from begins: Int) -> Bool {
    guard starts.count == 1, tree.nodes[starts[0]].children.isEmpty else { return false }
    var dots = 0
    for index in begins..<path.count {
      switch path[index] {
      case UInt8(ascii: "."): dots += 1
      case UInt8(ascii: "%"): if PathCharacters.mayBeginDot(path, at: index) { dots += 1 }
      case 0x80...: dots += 1
      default: continue
      }
      guard dots < 2 else { return false }
    }
    return conclusion(starts[0], isName: false).isExpected
  }

  // MARK: Characters

  /// Whether `byte` has no meaning of its own anywhere in a path.
  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "~"):
      true
    default: false
    }
  }

  private mutating func readPlain(_ byte: UInt8, at offset: Int, _ path: Span<UInt8>) {
    var end = offset + 1
    while end < path.count, first[end] < 0, Self.isPlain(path[end]) { end += 1 }
    var index = first[offset]
    while index >= 0 {
      if steps[Int(index)].state.isSettled {
        add(steps[Int(index)].state, .ran, from: index, at: end)
      } else {
        read(PathCharacter(meaning: .byte(byte), isEncoded: false, end: offset + 1), index, path)
      }
      work += 1
      index = steps[Int(index)].next
    }
  }

  private mutating func read(_ character: PathCharacter, _ index: Int32, _ path: Span<UInt8>) {
    let state = steps[Int(index)].state
    guard case .byte(let byte) = character.meaning else { return add(state, .skipped, from: index, at: character.end) }
    switch state.skipping {
    case .nothing: readName(byte, character, index, path)
    case .parameters:
      if byte == UInt8(ascii: "/") || byte == UInt8(ascii: "\\") { endSegment(index, at: character.end, path) }
      if Self.endsPath(byte), character.isEncoded { finish(index, path) }
      // A path that was split before it was decoded has an encoded slash in a segment.
      if byte != UInt8(ascii: "/") || character.isEncoded { add(state, .skipped, from: index, at: character.end) }
    case .stream, .streamType, .ticketSlash, .ticket, .ticketLetter, .ticketValue, .ticketValueEnd, .ticketEnd:
      guard let skipping = state.skipping.next(byte) else { return }
      add(state.skipping(skipping), .skipped, from: index, at: character.end)
      if skipping == .ticketEnd { add(state.skipping(.nothing), .skipped, from: index, at: character.end) }
    }
  }

  private mutating func readName(_ byte: UInt8, _ character: PathCharacter, _ index: Int32, _ path: Span<UInt8>) {
    let state = steps[Int(index)].state
    func skip(_ skipping: Skipping) { add(state.skipping(skipping), .skipped, from: index, at: character.end) }
    switch byte {
    case UInt8(ascii: "/"), UInt8(ascii: "\\"):
      endSegment(index, at: character.end, path)
      // Some versions of ASP.NET leave out a ticket with the slash before it.
      if hasTickets { skip(.ticketSlash) }
      // A path that was split before it was decoded has it in a segment.
      guard byte == UInt8(ascii: "\\") || character.isEncoded else { return }
    case UInt8(ascii: ";"):
      // Parameters of the segment, or of the path.
      skip(.parameters)
      finish(index, path)
    case UInt8(ascii: ":"): skip(.stream)
    case UInt8(ascii: "("): skip(.ticket)
    case UInt8(ascii: "+"):
      append(UInt8(ascii: " "), index, character.end)
      if state.shape == .empty { skip(.nothing) }
    case _ where Self.endsPath(byte): if character.isEncoded { finish(index, path) }
    default: break
    }
    // Java takes these off the beginning of a string as off its end.
    if byte <= 0x20, state.shape == .empty { skip(.nothing) }
    append(byte, index, character.end)
  }

  /// Whether a path that was decoded ends before `byte` to some server.
  private static func endsPath(_ byte: UInt8) -> Bool {
    byte < 0x20 || byte == 0x7f || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#")
  }

  private mutating func append(_ byte: UInt8, _ index: Int32, _ offset: Int) {
    var state = steps[Int(index)].state
    state.append(byte, in: tree)
    add(state, .appended(byte), from: index, at: offset)
  }

  private mutating func add(_ state: State, _ event: Event, from: Int32, at offset: Int) {
    var index = first[offset]
    while index >= 0 {
      let known = steps[Int(index)]
      if known.state.isLike(state, mergesDepths) {
        if state.below < known.state.below {
          steps[Int(index)].state.below = state.below
          (steps[Int(index)].from, steps[Int(index)].event) = (from, event)
        }
        if state.most > known.state.most { steps[Int(index)].state.most = state.most }
        return
      }
      work += 1
      index = known.next
    }
    steps.append(Step(state: state, from: from, event: event, offset: Int32(offset), next: first[offset]))
    first[offset] = Int32(steps.count - 1)
  }

  // MARK: Segments

  private mutating func endSegment(_ index: Int32, at offset: Int, _ path: Span<UInt8>) {
    visitEndings(index, path) { automaton, ending in
      let children = ending.below == 0 ? automaton.tree.nodes[ending.directory].children.indices : 0..<0
      var next = State(directory: ending.directory, children: children)
      (next.below, next.most) = (ending.below, ending.most)
      automaton.add(next, .ended(ending.segment), from: index, at: offset)
      // At the beginning, which is here where a mount is taken off, two slashes introduce a host to parsers of URLs
      // (RFC 3986 section 4.2), also where something between them is left out. It ends at the next slash.
      if ending.segment == .dropped, ending.below == 0, automaton.starts.contains(ending.directory) {
        automaton.add(next.skipping(.parameters), .ended(ending.segment), from: index, at: offset)
      }
    }
  }

  /// The path ends here.
  private mutating func finish(_ index: Int32, _ path: Span<UInt8>) {
    let state = steps[Int(index)].state
    if state.shape == .empty, state.skipping.mayEnd {
      return conclude(state.directory, isName: false, index, path, ending: nil)
    }
    visitEndings(index, path) { automaton, ending in
      automaton.conclude(ending.directory, isName: ending.isName, index, path, ending: ending.segment)
    }
  }

  /// Calls `visit` with everything that the segment which ends here may be to some server.
  private mutating func visitEndings(
    _ index: Int32, _ path: Span<UInt8>, _ visit: (inout PathAutomaton, Ending) -> Void
  ) {
    let state = steps[Int(index)].state
    guard state.skipping.mayEnd else { return }
    let here = Ending(directory: state.directory, below: state.below, most: state.most, segment: .dropped)
    if state.shape.mayBeLeftOut { visit(&self, here) }
    if state.shape.mayLeadUp {
      var up = here
      up.segment = .parent
      if state.most > 0 {
        up.most -= 1
        up.below = max(state.below - 1, 1)
        if up.most > 0 { visit(&self, up) }
        (up.below, up.most) = (0, 0)
        if state.below == 1 { visit(&self, up) }
      } else if question.isConfined, starts.contains(state.directory) {
        if verdict == .same { verdict = .leaves(reading: text(index, path, ending: .parent)) }
      } else {
        // Above the root there is nothing.
        up.directory = tree.nodes[state.directory].parent
        visit(&self, up)
      }
    }
    let exact = tree.exact(state.children, of: state.directory, length: state.length)
    if let exact { visit(&self, Ending(directory: exact, below: 0, most: 0, isName: true, segment: .kept)) }
    if let trimmed = state.trimmed, trimmed != exact {
      visit(&self, Ending(directory: trimmed, below: 0, most: 0, isName: true, segment: .trimmed))
    }
    if exact == nil {
      let (below, most) = (state.below + 1, state.most + 1)
      visit(&self, Ending(directory: state.directory, below: below, most: most, segment: .kept))
    }
  }

  private mutating func conclude(
    _ directory: Int, isName: Bool, _ index: Int32, _ path: Span<UInt8>, ending: Segment?
  ) {
    guard verdict == .same else { return }
    work += 1
    let (found, isExpected) = conclusion(directory, isName: isName)
    guard !isExpected else { return }
    verdict = .differs(found, reading: text(index, path, ending: ending, isLast: true))
  }

  /// The outcome for a reading that ends in `directory`, and whether it is the one that all must have.
  private func conclusion(_ directory: Int, isName: Bool) -> (outcome: Int?, isExpected: Bool) {
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
    return (found, found == question.expected && !isDisputed)
  }

  // MARK: Text

  /// The reading that leads to the state at `index`.
  ///
  /// - Parameter ending: what the segment that ends there is.
  /// - Parameter isLast: whether the path ends with that segment, without a slash.
  private func text(_ index: Int32, _ path: Span<UInt8>, ending: Segment? = nil, isLast: Bool = false) -> String {
    var indices: [Int32] = []
    var index = index
    while index >= 0 {
      indices.append(index)
      index = steps[Int(index)].from
    }
    var text = ReadingText()
    var offset = 0
    for index in indices.reversed() {
      let step = steps[Int(index)]
      switch step.event {
      case .began: text.begin(path, upTo: Int(step.offset))
      case .appended(let byte): text.append(byte)
      case .ran:
        if step.state.skipping == .nothing { for index in offset..<Int(step.offset) { text.append(path[index]) } }
      case .skipped: break
      case .ended(let segment): text.end(segment, isLast: false)
      }
      offset = Int(step.offset)
    }
    if let ending { text.end(ending, isLast: isLast) }
    return text.description
  }
}

// MARK: - State

/// What becomes of a segment in a reading.
private enum Segment {
  /// Kept; without the spaces, tabs and dots at its end; left out; left out with the segment before it.
  case kept, trimmed, dropped, parent
}

/// How a state came from the one before.
private enum Event {
  case began, skipped
  case appended(UInt8)
  /// Some plain bytes were read, which change nothing.
  case ran
  case ended(Segment)
}

/// Where a reading is behind a segment.
private struct Ending {
  var directory: Int
  var below: Int
  var most: Int
  /// Whether the segment is the name of ``directory``.
  var isName = false
  var segment: Segment
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

/// What counts for nothing in a reading.
private enum Skipping {
  case nothing
  /// What follows up to the next slash, as parameters do, and the host behind `//`.
  case parameters
  /// The name of a stream of an NTFS file or directory, such as `::$DATA` or `:$i30:$INDEX_ALLOCATION`.
  case stream, streamType
  /// The slash before a ticket.
  case ticketSlash
  /// A ticket of an ASP.NET application without cookies, such as `(S(abc))` or `(X(1)F(abc))`.
  case ticket, ticketLetter, ticketValue, ticketValueEnd
  /// The slash behind a ticket.
  case ticketEnd

  /// Whether a segment may end here.
  var mayEnd: Bool { self == .nothing || self == .parameters }

  /// What is skipped behind `byte`; nil where it does not belong to what is skipped.
  func next(_ byte: UInt8) -> Skipping? {
    let isLetter = (byte | 0x20) &- UInt8(ascii: "a") < 26
    switch (self, byte) {
    case (.stream, UInt8(ascii: ":")): return .streamType
    case (.stream, UInt8(ascii: "$")), (.streamType, UInt8(ascii: "$")): return .parameters
    case (.ticketSlash, UInt8(ascii: "(")): return .ticket
    case (.ticket, _) where isLetter, (.ticketValueEnd, _) where isLetter: return .ticketLetter
    case (.ticketLetter, UInt8(ascii: "(")): return .ticketValue
    case (.ticketValue, UInt8(ascii: ")")): return .ticketValueEnd
    case (.ticketValue, _) where byte != UInt8(ascii: "/"): return .ticketValue
    case (.ticketValueEnd, UInt8(ascii: ")")): return .ticketEnd
    case (.ticketEnd, UInt8(ascii: "/")): return .nothing
    default: return nil
    }
  }
}

/// One way to read a path up to some offset.
private struct State {
  private var narrow:
    (directory: Int32, low: Int32, high: Int32, length: Int32, trimmed: Int32, below: Int32, most: Int32)
  var shape = Shape.empty
  var skipping = Skipping.nothing

  init(directory: Int, children: Range<Int>) {
    narrow = (Int32(directory), Int32(children.lowerBound), Int32(children.upperBound), 0, -1, 0, 0)
  }

  /// The deepest directory of the tree that the reading is in.
  var directory: Int { Int(narrow.directory) }

  /// How many segments below that it is, at least. Only a literal slash adds one in every reading.
  var below: Int {
    get { Int(narrow.below) }
    set { narrow.below = Int32(newValue) }
  }

  /// How many segments below that it is, at most.
  var most: Int {
    get { Int(narrow.most) }
    set { narrow.most = Int32(newValue) }
  }

  /// The children of ``directory`` whose names begin with the segment so far; empty below the tree.
  private(set) var children: Range<Int> {
    get { Int(narrow.low)..<Int(narrow.high) }
    set { (narrow.low, narrow.high) = (Int32(newValue.lowerBound), Int32(newValue.upperBound)) }
  }

  /// How many bytes of those names were read.
  var length: Int { Int(narrow.length) }

  /// The child whose name the segment is without the spaces, tabs and dots at its end.
  var trimmed: Int? { narrow.trimmed < 0 ? nil : Int(narrow.trimmed) }

  /// Whether plain bytes change nothing.
  var isSettled: Bool {
    switch skipping {
    case .parameters, .ticketValue: true
    case .nothing: shape == .name && children.isEmpty && narrow.trimmed < 0
    default: false
    }
  }

  /// Whether the same may become of both, but for what depth decides if `mergesDepths` is true.
  func isLike(_ other: State, _ mergesDepths: Bool) -> Bool {
    let (mine, its) = (narrow, other.narrow)
    guard mine.directory == its.directory, mine.low == its.low, mine.high == its.high, mine.length == its.length,
      mine.trimmed == its.trimmed, shape == other.shape, skipping == other.skipping
    else { return false }
    return mergesDepths ? (mine.below > 0) == (its.below > 0) : mine.below == its.below
  }

  func skipping(_ skipping: Skipping) -> State {
    var state = self
    state.skipping = skipping
    return state
  }

  mutating func append(_ byte: UInt8, in tree: PathTree) {
    let isDot = byte == UInt8(ascii: ".")
    let isPadding = isDot || byte <= 0x20
    switch shape {
    case .empty: shape = isDot ? .dot : isPadding ? .padding : .name
    case .dot: shape = isDot ? .dotDot : isPadding ? .padding : .name
    case .dotDot, .paddedDotDot: shape = isPadding ? .paddedDotDot : .name
    case .padding: shape = isPadding ? .padding : .name
    case .name: break
    }
    if !isPadding {
      narrow.trimmed = -1
    } else if narrow.trimmed < 0, let exact = tree.exact(children, of: directory, length: length) {
      narrow.trimmed = Int32(exact)
    }
    guard !children.isEmpty else { return }
    let read = tree.ignoresCase ? byte.asciiLowercased : byte
    children = tree.narrow(children, of: directory, to: read, at: length)
    // One value for all that have left the tree, so that they are alike.
    if children.isEmpty {
      children = 0..<0
      narrow.length = 0
    } else {
      narrow.length += 1
    }
  }
}

/// The text of a reading, for the message of a refusal.
private struct ReadingText: CustomStringConvertible {
  private var text: [UInt8] = []
  private var segmentStart = 0

  /// Takes over the path up to where readings begin.
  mutating func begin(_ path: Span<UInt8>, upTo end: Int) {
    for index in 0..<end { text.append(path[index]) }
    segmentStart = end
  }

  mutating func append(_ byte: UInt8) {
    if byte > 0x20, byte < 0x7f, byte != UInt8(ascii: "/") {
      text.append(byte)
    } else {
      text += Array("%\(byte < 16 ? "0" : "")\(String(byte, radix: 16, uppercase: true))".utf8)
    }
  }

  mutating func end(_ segment: Segment, isLast: Bool) {
    switch segment {
    case .kept: break
    case .trimmed:
      while let padding = ["%20", "%09", "."].first(where: { text.suffix($0.utf8.count).elementsEqual($0.utf8) }) {
        text.removeLast(padding.utf8.count)
      }
    case .dropped, .parent: text.removeSubrange(segmentStart...)
    }
    if segment == .parent, text.count > 1 {
      text.removeLast()
      while let last = text.last, last != UInt8(ascii: "/") { text.removeLast() }
    }
    if segment == .kept || segment == .trimmed, !isLast { text.append(UInt8(ascii: "/")) }
    segmentStart = text.count
  }

  var description: String { String(decoding: text, as: UTF8.self) }
}
