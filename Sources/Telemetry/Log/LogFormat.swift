/// How log lines are written.
public enum LogFormat: Sendable {
  /// `key=value` pairs for people, and for the tools that read them: a value that is not plain printable ASCII, or
  /// holds a space, an equals sign, a quotation mark or a backslash, is written as a JSON string.
  case logfmt
  /// One JSON object a line.
  case json
}

extension LogFormat {
  /// What stands before the value of the field `name`, which is not the first of its line; of a duration, its unit too.
  func key(_ name: String, unit: DurationUnit? = nil) -> String {
    switch self {
    case .logfmt: " \(name)="
    case .json: ",\"\(name)\(unit.map { "_\($0.symbol)" } ?? "")\":"
    }
  }
}
