/// A part of proxy.conf with its position.
struct Node {
  /// What a node is.
  enum Content {
    /// Text, without YAML's interpretation; `isNothing` if a value is possible but missing: nothing is written, or `null`.
    case scalar(String, isNothing: Bool)
    case sequence([Node])
    /// Keys are unique, in the order of the file.
    case mapping([Entry])
    /// Content that was rejected and reported when the tree was built.
    case refused
  }

  /// A key of a mapping and its value.
  struct Entry {
    let key: String
    let keyMark: Mark
    let value: Node
  }

  let mark: Mark
  let content: Content
}

/// Builds a tree of nodes from the events of a file, and rejects the parts of YAML that proxy.conf does not use.
struct TreeBuilder {
  /// The maximum depth of nested lists and mappings.
  static let depthLimit = 16
  /// The maximum number of nodes of a file.
  static let nodeLimit = 200_000

  // YAML reads each of these as no value, unless it is quoted.
  private static let nothing: Set<String> = ["", "~", "null", "Null", "NULL"]

  private let events: YAMLEventReader
  private let findings: Findings
  private var nodes = 0
  private var continued: [(Mark, path: String)] = []

  /// The tree of the file `bytes`; nil if there is none; `findings` then has a problem.
  static func tree(_ bytes: [UInt8], findings: Findings) -> Node? {
    do {
      var builder = TreeBuilder(events: YAMLEventReader(try SourceText.plain(bytes)), findings: findings)
      return try builder.document()
    } catch {
      findings.problem(error.mark, path: "", error.message)
      return nil
    }
  }

  private init(events: YAMLEventReader, findings: Findings) {
    self.events = events
    self.findings = findings
  }

  private mutating func document() throws(SyntaxProblem) -> Node {
    _ = try events.next()  // The stream's start.
    guard case .documentStart = try events.next().kind else {
      throw SyntaxProblem(mark: nil, message: "the file is empty; proxy.conf.example shows what belongs in it")
    }
    let root = try node(try events.next(), path: "", depth: 0)
    _ = try events.next()  // The document's end.
    let following = try events.next()
    guard case .streamEnd = following.kind else {
      throw SyntaxProblem(mark: following.mark, message: "proxy.conf is one document; remove this \"---\"")
    }
    // Only now: a setting that is indented too far looks like this first, but then causes a syntax error with a better message.
    for (mark, path) in continued { findings.problem(mark, path: path, "a value must be on one line, or in quotes") }
    return root
  }

  private mutating func node(_ event: YAMLEvent, path: String, depth: Int) throws(SyntaxProblem) -> Node {
    nodes += 1
    guard nodes <= Self.nodeLimit else {
      throw SyntaxProblem(mark: event.mark, message: "the file has more than \(Self.nodeLimit) values and keys")
    }
    guard depth <= Self.depthLimit else {
      throw SyntaxProblem(
        mark: event.mark, message: "lists and mappings are nested more than \(Self.depthLimit) levels deep")
    }
    let isRefused = refuse(event, path: path)
    if event.endsAtTightComment {
      if case .scalar("", _) = event.kind { findings.commentedOut.insert(event.mark) }
      findings.warning(
        event.mark, about: path,
        "ends before \" #\", where a comment begins; put the whole value in quotes if # belongs to it, or a space behind #"
      )
    }
    let content: Node.Content
    switch event.kind {
    case .scalar(let text, let isPlain):
      content = .scalar(text, isNothing: isPlain && Self.nothing.contains(text))
    case .sequenceStart:
      content = .sequence(try items(path: path, depth: depth))
    case .mappingStart:
      content = .mapping(try entries(path: path, depth: depth))
    default:
      content = .refused
    }
    return Node(mark: event.mark, content: isRefused ? .refused : content)
  }

  /// Whether `event` uses a feature that proxy.conf does not support. Names are not shown: `&x` may be the beginning of a
  /// secret.
  private mutating func refuse(_ event: YAMLEvent, path: String) -> Bool {
    let hint = "put a value that begins with it in quotes"
    if case .alias = event.kind {
      findings.problem(event.mark, path: path, "aliases (*) are not supported; write the value out, or \(hint)")
      return true
    }
    if event.hasAnchor { findings.problem(event.mark, path: path, "anchors (&) are not supported; \(hint)") }
    if event.hasTag { findings.problem(event.mark, path: path, "tags (!) are not supported; \(hint)") }
    if event.isContinued { continued.append((event.mark, path: path)) }
    return event.hasAnchor || event.hasTag || event.isContinued
  }

  private mutating func items(path: String, depth: Int) throws(SyntaxProblem) -> [Node] {
    var items: [Node] = []
    while true {
      let event = try events.next()
      if case .sequenceEnd = event.kind { return items }
      items.append(try node(event, path: "\(path)[\(items.count)]", depth: depth + 1))
    }
  }

  private mutating func entries(path: String, depth: Int) throws(SyntaxProblem) -> [Node.Entry] {
    var entries: [Node.Entry] = []
    var lines: [String: Int] = [:]
    while true {
      let event = try events.next()
      if case .mappingEnd = event.kind { return entries }
      let keyNode = try node(event, path: path, depth: depth + 1)
      guard let key = self.key(keyNode, path: path) else {
        _ = try node(try events.next(), path: path, depth: depth + 1)
        continue
      }
      let value = try node(try events.next(), path: SettingPath.join(path, key), depth: depth + 1)
      if let line = lines.updateValue(lines[key] ?? event.mark.line, forKey: key) {
        findings.problem(event.mark, path: path, "\(displayed(key)) is set twice; the first is in line \(line)")
      } else {
        entries.append(Node.Entry(key: key, keyMark: event.mark, value: value))
      }
    }
  }

  private func key(_ node: Node, path: String) -> String? {
    switch node.content {
    case .scalar("<<", _):
      findings.problem(node.mark, path: path, "merge keys (<<) are not supported; write the settings out")
      return nil
    case .scalar(let word, isNothing: true):
      let nothing = word.isEmpty ? "nothing" : "\(word), which is nothing in YAML; put the word in quotes"
      findings.problem(node.mark, path: path, "the name of a setting must be a word, not \(nothing)")
      return nil
    case .scalar(let key, isNothing: false):
      return key
    case .sequence:
      findings.problem(node.mark, path: path, "the name of a setting must be a word, not a list")
      return nil
    case .mapping:
      findings.problem(node.mark, path: path, "the name of a setting must be a word, not a mapping")
      return nil
    case .refused:
      return nil
    }
  }
}
