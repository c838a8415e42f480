internal import Encodings

/// How a reading treats a segment.
enum ReadingSegment {
  /// Kept; without the spaces, tabs and dots at its end; left out; left out with the segment before it.
  case kept, trimmed, dropped, parent
}

/// How a state follows from the one before.
enum ReadingEvent {
  case began, skipped
  case appended(UInt8)
  /// Some plain bytes were read that change nothing.
  case ran
  case ended(ReadingSegment)
}

/// The position of a reading after a segment.
struct ReadingEnding {
  var directory: Int
  var below: Int
  var most: Int
  /// Whether the segment is the name of ``directory``.
  var isName = false
  var segment: ReadingSegment
}

/// What the segment consists of so far.
enum SegmentShape {
  case empty, dot, dotDot
  /// Spaces, tabs and dots, which Windows removes from the end of a name.
  case padding
  /// Two dots, followed by such padding.
  case paddedDotDot
  case name

  /// Whether some server ignores such a segment.
  var mayBeLeftOut: Bool { self != .name && self != .dotDot }
  /// Whether some server treats such a segment as the parent directory.
  var mayLeadUp: Bool { self == .dotDot || self == .paddedDotDot }
}

/// The part of a path that a reading ignores at the moment.
enum ReadingSkip {
  case nothing
  /// Everything up to the next slash: parameters, or the host after `//`.
  case parameters
  /// The name of a stream of an NTFS file or directory, such as `::$DATA` or `:$i30:$INDEX_ALLOCATION`.
  case stream, streamType
  /// The slash before a ticket.
  case ticketSlash
  /// A ticket of an ASP.NET application without cookies, such as `(S(abc))` or `(X(1)F(abc))`.
  case ticket, ticketLetter, ticketValue, ticketValueEnd
  /// The slash after a ticket.
  case ticketEnd

  /// Whether a segment may end here.
  var mayEnd: Bool { self == .nothing || self == .parameters }

  /// The state after `byte`; nil if the byte does not belong to the skipped part.
  func next(_ byte: UInt8) -> ReadingSkip? {
    let isLetter = byte.isLetter
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
struct ReadingState {
  private var narrow:
    (directory: Int32, low: Int32, high: Int32, length: Int32, trimmed: Int32, below: Int32, most: Int32)
  var shape = SegmentShape.empty
  var skipping = ReadingSkip.nothing

  init(directory: Int, children: Range<Int>) {
    narrow = (Int32(directory), Int32(children.lowerBound), Int32(children.upperBound), 0, -1, 0, 0)
  }

  /// The deepest directory of the tree that the reading is in.
  var directory: Int { Int(narrow.directory) }

  /// The minimum number of segments below that directory. Only a literal slash adds one in every reading.
  var below: Int {
    get { Int(narrow.below) }
    set { narrow.below = Int32(newValue) }
  }

  /// The maximum number of segments below that directory.
  var most: Int {
    get { Int(narrow.most) }
    set { narrow.most = Int32(newValue) }
  }

  /// The children of ``directory`` whose names begin with the current segment; empty below the tree.
  private(set) var children: Range<Int> {
    get { Int(narrow.low)..<Int(narrow.high) }
    set { (narrow.low, narrow.high) = (Int32(newValue.lowerBound), Int32(newValue.upperBound)) }
  }

  /// How many bytes of those names were read.
  var length: Int { Int(narrow.length) }

  /// The child whose name is the segment without the spaces, tabs and dots at its end.
  var trimmed: Int? { narrow.trimmed < 0 ? nil : Int(narrow.trimmed) }

  /// Whether plain bytes change nothing.
  var isSettled: Bool {
    switch skipping {
    case .parameters, .ticketValue: true
    case .nothing: shape == .name && children.isEmpty && narrow.trimmed < 0
    default: false
    }
  }

  /// Whether both have the same future, except for what depends on the depth if `mergesDepths` is true.
  func isLike(_ other: ReadingState, _ mergesDepths: Bool) -> Bool {
    let (mine, its) = (narrow, other.narrow)
    guard mine.directory == its.directory, mine.low == its.low, mine.high == its.high, mine.length == its.length,
      mine.trimmed == its.trimmed, shape == other.shape, skipping == other.skipping
    else { return false }
    return mergesDepths ? (mine.below > 0) == (its.below > 0) : mine.below == its.below
  }

  func skipping(_ skipping: ReadingSkip) -> ReadingState {
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
    // The same value for all states that have left the tree, so that they compare as equal.
    if children.isEmpty {
      children = 0..<0
      narrow.length = 0
    } else {
      narrow.length += 1
    }
  }
}

/// The text of a reading, for the message that rejects a request.
struct ReadingText: CustomStringConvertible {
  private var text: [UInt8] = []
  private var segmentStart = 0

  /// Copies the path up to where readings begin.
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

  mutating func end(_ segment: ReadingSegment, isLast: Bool) {
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
