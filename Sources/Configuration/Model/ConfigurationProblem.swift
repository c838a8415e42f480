/// Something in proxy.conf that is wrong, or deserves a second look: where, what, and how to mend it.
public struct ConfigurationProblem: Error, Sendable, Hashable {
  /// The file, as it was named to the proxy.
  public var file: String
  /// The line, from 1; 0 when the problem is with the file as a whole.
  public var line: Int
  /// The column in characters, from 1; 0 when the problem is with the file as a whole.
  public var column: Int
  /// The setting, such as `routes[1].timeouts.connect`; "" when the problem is with no setting.
  public var path: String
  /// The sentence to show; it names the setting itself, and never shows a secret.
  public var message: String

  /// A problem of these parts.
  public init(file: String, line: Int = 0, column: Int = 0, path: String = "", message: String) {
    self.file = file
    self.line = line
    self.column = column
    self.path = path
    self.message = message
  }
}

extension ConfigurationProblem: CustomStringConvertible {
  /// One line, in the form editors and compilers use: `proxy.conf:21:14: routes[2].timeouts.connect must be ...`.
  public var description: String {
    line > 0 ? "\(file):\(line):\(column): \(message)" : "\(file): \(message)"
  }
}
