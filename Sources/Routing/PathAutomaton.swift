internal import Encodings

/// Follows all readings of a path at the same time, as states that walk a ``PathTree``.
///
/// Every choice is open again for each character, so it covers combinations that no list of known servers has. The work is
/// bounded and linear in the path's length. Every state knows its predecessor, so the text of a reading is assembled only for
/// the message that rejects a request.
struct PathAutomaton {
  /// A state and its origin.
  private struct Step {
    var state: ReadingState
    /// The index of the preceding state; negative for the first one.
    var from: Int32
    var event: ReadingEvent
    /// The offset up to which the path was read.
    let offset: Int32
    /// The next state at the same offset; negative for the last one.
    let next: Int32
  }

  private let tree: PathTree
  private let question: PathReadings.Question
  private let outcome: (Int) -> Int?
  /// The directories in which readings begin.
  private let starts: [Int]
  /// Whether states that differ only in their depth below the tree are merged, which keeps the work linear.
  private let mergesDepths: Bool
  private var steps: [Step] = []
  /// The first state at each offset; negative where there is none.
  private var first: [Int32] = []
  private var hasTickets = false
  private var work = 0
  private var verdict = PathReadings.Verdict.same

  /// The maximum number of steps, about 1.5 milliseconds. A path of 16 KB in which every byte is percent-encoded takes fewer.
  private static var mostWork: Int { 30_000 }

  init(
    _ tree: PathTree, _ question: PathReadings.Question, _ outcome: @escaping (Int) -> Int?, mergesDepths: Bool = true
  ) {
    (self.tree, self.question, self.outcome, self.mergesDepths) = (tree, question, outcome, mergesDepths)
    starts = tree.nodes(of: question.prefix)
  }

  mutating func run(_ path: Span<UInt8>) -> PathReadings.Verdict {
    // After the slash that ends the prefix, or begins the path.
    let length = question.prefix?.length ?? 0
    let begins = length > 0 && path[length - 1] == UInt8(ascii: "/") ? length : length + 1
    guard begins <= path.count else { return atPrefixItself(path) }
    guard !staysInside(path, from: begins) else { return .same }
    var characters = PathCharacters(path, ignoresCase: tree.ignoresCase)
    guard !characters.isTooDeep else { return .tooMany }
    hasTickets = characters.hasParenthesis
    first = Array(repeating: -1, count: path.count + 1)
    for start in starts {
      add(ReadingState(directory: start, children: tree.nodes[start].children.indices), .began, from: -1, at: begins)
    }
    var found: [PathCharacter] = []
    var offset = begins
    while offset < path.count {
      let byte = path[offset]
      if Self.isPlain(byte) {
        // Such a byte means the same to all servers, and a run of them changes nothing.
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

  /// If `path` is the covering prefix itself, its readings have the prefix's outcome.
  private func atPrefixItself(_ path: Span<UInt8>) -> PathReadings.Verdict {
    for start in starts {
      let (found, isExpected) = conclusion(start, isName: true)
      if !isExpected { return .differs(found, reading: question.prefix?.text ?? "/") }
    }
    return .same
  }

  /// Whether `path` has too few dots, however encoded, to lead up from the start, and no directories below to lead into. True
  /// is certain; false is not.
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

  /// Whether `byte` has no special meaning anywhere in a path.
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
      // If a server split the path before decoding it, a segment can contain an encoded slash.
      if byte != UInt8(ascii: "/") || character.isEncoded { add(state, .skipped, from: index, at: character.end) }
    case .stream, .streamType, .ticketSlash, .ticket, .ticketLetter, .ticketValue, .ticketValueEnd, .ticketEnd:
      guard let skipping = state.skipping.next(byte) else { return }
      add(state.skipping(skipping), .skipped, from: index, at: character.end)
      if skipping == .ticketEnd { add(state.skipping(.nothing), .skipped, from: index, at: character.end) }
    }
  }

  private mutating func readName(_ byte: UInt8, _ character: PathCharacter, _ index: Int32, _ path: Span<UInt8>) {
    let state = steps[Int(index)].state
    func skip(_ skipping: ReadingSkip) { add(state.skipping(skipping), .skipped, from: index, at: character.end) }
    switch byte {
    case UInt8(ascii: "/"), UInt8(ascii: "\\"):
      endSegment(index, at: character.end, path)
      // Some versions of ASP.NET remove a ticket together with the slash before it.
      if hasTickets { skip(.ticketSlash) }
      // If a server split the path before decoding it, a segment can contain this character.
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
    // Java trims these from the beginning of a string as well as from the end.
    if byte <= 0x20, state.shape == .empty { skip(.nothing) }
    append(byte, index, character.end)
  }

  /// Whether some server ends a decoded path before `byte`.
  private static func endsPath(_ byte: UInt8) -> Bool {
    byte < 0x20 || byte == 0x7f || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#")
  }

  private mutating func append(_ byte: UInt8, _ index: Int32, _ offset: Int) {
    var state = steps[Int(index)].state
    state.append(byte, in: tree)
    add(state, .appended(byte), from: index, at: offset)
  }

  private mutating func add(_ state: ReadingState, _ event: ReadingEvent, from: Int32, at offset: Int) {
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
      var next = ReadingState(directory: ending.directory, children: children)
      (next.below, next.most) = (ending.below, ending.most)
      automaton.add(next, .ended(ending.segment), from: index, at: offset)
      // At the beginning, which is here if a mount is removed, two slashes introduce a host to URL parsers (RFC 3986 section
      // 4.2), even if something between them is dropped. The host ends at the next slash.
      if ending.segment == .dropped, ending.below == 0, automaton.starts.contains(ending.directory) {
        automaton.add(next.skipping(.parameters), .ended(ending.segment), from: index, at: offset)
      }
    }
  }

  /// Handles the end of the path.
  private mutating func finish(_ index: Int32, _ path: Span<UInt8>) {
    let state = steps[Int(index)].state
    if state.shape == .empty, state.skipping.mayEnd {
      return conclude(state.directory, isName: false, index, path, ending: nil)
    }
    visitEndings(index, path) { automaton, ending in
      automaton.conclude(ending.directory, isName: ending.isName, index, path, ending: ending.segment)
    }
  }

  /// Calls `visit` with everything that the segment that ends here may be to some server.
  private mutating func visitEndings(
    _ index: Int32, _ path: Span<UInt8>, _ visit: (inout PathAutomaton, ReadingEnding) -> Void
  ) {
    let state = steps[Int(index)].state
    guard state.skipping.mayEnd else { return }
    let here = ReadingEnding(directory: state.directory, below: state.below, most: state.most, segment: .dropped)
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
        // The root has no parent.
        up.directory = tree.nodes[state.directory].parent
        visit(&self, up)
      }
    }
    let exact = tree.exact(state.children, of: state.directory, length: state.length)
    if let exact { visit(&self, ReadingEnding(directory: exact, below: 0, most: 0, isName: true, segment: .kept)) }
    if let trimmed = state.trimmed, trimmed != exact {
      visit(&self, ReadingEnding(directory: trimmed, below: 0, most: 0, isName: true, segment: .trimmed))
    }
    if exact == nil {
      let (below, most) = (state.below + 1, state.most + 1)
      visit(&self, ReadingEnding(directory: state.directory, below: below, most: most, segment: .kept))
    }
  }

  private mutating func conclude(
    _ directory: Int, isName: Bool, _ index: Int32, _ path: Span<UInt8>, ending: ReadingSegment?
  ) {
    guard verdict == .same else { return }
    work += 1
    let (found, isExpected) = conclusion(directory, isName: isName)
    guard !isExpected else { return }
    verdict = .differs(found, reading: text(index, path, ending: ending, isLast: true))
  }

  /// The outcome of a reading that ends in `directory`, and whether it is the expected one.
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

  /// The text of the reading that leads to the state at `index`.
  ///
  /// - Parameter ending: how the segment that ends there is treated.
  /// - Parameter isLast: whether the path ends with that segment, without a slash.
  private func text(_ index: Int32, _ path: Span<UInt8>, ending: ReadingSegment? = nil, isLast: Bool = false) -> String
  {
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
