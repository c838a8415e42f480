import CYAML

/// One step through a YAML stream.
struct YAMLEvent {
  enum Kind {
    case streamStart, streamEnd, documentStart, documentEnd
    case alias
    case scalar(String, isPlain: Bool)
    case sequenceStart, sequenceEnd
    case mappingStart, mappingEnd
  }

  let kind: Kind
  let mark: Mark
  /// Whether the node carries an anchor (`&name`).
  var hasAnchor = false
  /// Whether the node carries a tag (`!name`).
  var hasTag = false
  /// Whether it is an unquoted scalar that continues on the next line.
  var isContinued = false
  /// Whether it is an unquoted scalar, followed by a comment without a space after its `#`: the comment may have been meant as
  /// part of the value.
  var endsAtTightComment = false
}

/// A place in proxy.conf: line and column in characters, both from 1.
struct Mark: Hashable, Comparable {
  var line: Int
  var column: Int

  static let beginning = Mark(line: 1, column: 1)

  static func < (one: Mark, other: Mark) -> Bool {
    (one.line, one.column) < (other.line, other.column)
  }
}

/// libyaml's event parser over bytes in memory.
@safe final class YAMLEventReader {
  // Both are owned by this object: libyaml reads the copied input for as long as the parser lives.
  private let parser: UnsafeMutablePointer<yaml_parser_t>
  private let input: UnsafeMutableBufferPointer<UInt8>
  // libyaml adds a line end to every file, and may then point at a line that the file does not have.
  private let end: Mark
  // For each line, the columns of the `#` that would begin such a comment.
  private var tightComments: [Int: [Int]] = [:]

  /// A reader of `bytes`, the result of ``SourceText/plain(_:)``.
  init(_ bytes: [UInt8]) {
    unsafe input = UnsafeMutableBufferPointer.allocate(capacity: bytes.count)
    _ = unsafe input.initialize(from: bytes)
    unsafe parser = UnsafeMutablePointer.allocate(capacity: 1)
    guard unsafe yaml_parser_initialize(parser) == 1 else { fatalError("out of memory") }
    unsafe yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    unsafe yaml_parser_set_input_string(parser, input.baseAddress, input.count)
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    let lastLine = String(decoding: lines.last ?? [], as: UTF8.self)
    end = Mark(line: max(1, lines.count), column: lastLine.unicodeScalars.count + 1)
    for (index, line) in lines.enumerated() where line.contains(UInt8(ascii: "#")) {
      tightComments[index + 1] = Self.tightComments(in: String(decoding: line, as: UTF8.self))
    }
  }

  private static func tightComments(in line: String) -> [Int]? {
    let scalars = Array(line.unicodeScalars)
    let columns = scalars.indices.dropFirst().filter { index in
      guard scalars[index] == "#", scalars[index - 1] == " " else { return false }
      // A row of them is a drawn line.
      let row = scalars[index...].prefix { $0 == "#" }
      return row.endIndex == scalars.endIndex ? row.count == 1 : ![" ", "\t"].contains(scalars[row.endIndex])
    }
    return columns.isEmpty ? nil : columns.map { $0 + 1 }
  }

  deinit {
    unsafe yaml_parser_delete(parser)
    unsafe parser.deallocate()
    unsafe input.deallocate()
  }

  /// The next event; must not be called after the stream's end.
  func next() throws(SyntaxProblem) -> YAMLEvent {
    var event = unsafe yaml_event_t()
    guard unsafe yaml_parser_parse(parser, &event) == 1 else { throw problem() }
    defer { unsafe yaml_event_delete(&event) }
    let mark = unsafe mark(event.start_mark)
    switch unsafe event.type {
    case YAML_STREAM_START_EVENT: return YAMLEvent(kind: .streamStart, mark: mark)
    case YAML_DOCUMENT_START_EVENT: return YAMLEvent(kind: .documentStart, mark: mark)
    case YAML_DOCUMENT_END_EVENT: return YAMLEvent(kind: .documentEnd, mark: mark)
    case YAML_ALIAS_EVENT: return YAMLEvent(kind: .alias, mark: mark)
    case YAML_SCALAR_EVENT: return unsafe scalar(event, mark: mark)
    case YAML_SEQUENCE_START_EVENT:
      let start = unsafe event.data.sequence_start
      return unsafe YAMLEvent(
        kind: .sequenceStart, mark: mark, hasAnchor: start.anchor != nil, hasTag: start.tag != nil)
    case YAML_MAPPING_START_EVENT:
      let start = unsafe event.data.mapping_start
      return unsafe YAMLEvent(kind: .mappingStart, mark: mark, hasAnchor: start.anchor != nil, hasTag: start.tag != nil)
    case YAML_SEQUENCE_END_EVENT: return YAMLEvent(kind: .sequenceEnd, mark: mark)
    case YAML_MAPPING_END_EVENT: return YAMLEvent(kind: .mappingEnd, mark: mark)
    default: return YAMLEvent(kind: .streamEnd, mark: mark)
    }
  }

  private func scalar(_ event: yaml_event_t, mark: Mark) -> YAMLEvent {
    let scalar = unsafe event.data.scalar
    let text = unsafe String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
    let isPlain = unsafe scalar.style == YAML_PLAIN_SCALAR_STYLE
    return unsafe YAMLEvent(
      kind: .scalar(text, isPlain: isPlain), mark: mark, hasAnchor: scalar.anchor != nil,
      // A lone "!" leaves no tag, only a plain scalar that must not be taken for one.
      hasTag: scalar.tag != nil || isPlain && scalar.plain_implicit == 0,
      isContinued: isPlain && event.start_mark.line != event.end_mark.line,
      endsAtTightComment: isPlain && hasTightComment(behind: event.end_mark))
  }

  private func hasTightComment(behind end: yaml_mark_t) -> Bool {
    guard let columns = tightComments[end.line + 1] else { return false }
    let line = line(end.line + 1).unicodeScalars
    return columns.contains { column in
      column > end.column && line.dropFirst(end.column).prefix(column - 1 - end.column).allSatisfy { $0 == " " }
    }
  }

  private func problem() -> SyntaxProblem {
    let state = unsafe parser.pointee
    guard unsafe state.error != YAML_MEMORY_ERROR, let text = unsafe state.problem else {
      return SyntaxProblem(mark: nil, message: "there is not enough memory to read the file")
    }
    let mark = unsafe mark(state.problem_mark)
    return unsafe SyntaxProblem(
      libyaml: String(cString: text), at: mark, context: state.context.map { unsafe String(cString: $0) } ?? "",
      begunAt: self.mark(state.context_mark), line: line(mark.line))
  }

  private func mark(_ mark: yaml_mark_t) -> Mark {
    min(Mark(line: mark.line + 1, column: mark.column + 1), end)
  }

  private func line(_ number: Int) -> String {
    let lines = unsafe input.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    return unsafe number <= lines.count ? String(decoding: lines[number - 1], as: UTF8.self) : ""
  }
}
