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
  /// Whether it is a scalar without quotes that goes on in the next line.
  var isContinued = false
}
