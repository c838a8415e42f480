/// Where a setting stands in proxy.conf, for what is found wrong with its value after the file was read.
public struct SettingPlace: Sendable, Hashable {
  /// The file, as it was named to the proxy.
  public var file: String
  /// The line, from 1; 0 where it is not known.
  public var line: Int
  /// The column in characters, from 1; 0 where it is not known.
  public var column: Int
  /// The setting, such as `interception.ca_key`.
  public var path: String

  /// A place of these parts.
  public init(file: String = "proxy.conf", line: Int = 0, column: Int = 0, path: String) {
    self.file = file
    self.line = line
    self.column = column
    self.path = path
  }

  /// The problem of this setting that `complaint` tells, as a sentence that goes on after the setting's name.
  public func problem(_ complaint: String) -> ConfigurationProblem {
    ConfigurationProblem(file: file, line: line, column: column, path: path, message: "\(path) \(complaint)")
  }
}
