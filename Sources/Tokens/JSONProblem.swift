/// Why bytes are not a JSON object that can be used.
enum JSONProblem: Error, Hashable {
  /// They are not JSON (RFC 8259), or end early, or are nested too deeply.
  case notJSON
  /// They are JSON, but no object.
  case notAnObject
  /// The object has a member twice.
  case repeatedMember
}
