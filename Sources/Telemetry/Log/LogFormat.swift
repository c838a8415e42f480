/// How log lines are written.
public enum LogFormat: Sendable {
  /// `key=value` pairs for people, and for the tools that read them: a value that is not plain printable ASCII, or
  /// holds a space, an equals sign, a quotation mark or a backslash, is written as a JSON string.
  case logfmt
  /// One JSON object a line.
  case json
}
