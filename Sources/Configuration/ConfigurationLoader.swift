import Secrets

/// Reads proxy.conf.
public enum ConfigurationLoader {
  /// The configuration in the file at `path`.
  ///
  /// - Parameters:
  ///   - path: The file, which messages name as it is named here; relative paths in it count from its directory.
  ///   - environment: What `${NAME}` stands for, and where secrets of the form `{ env: NAME }` are.
  ///   - runsPrograms: Whether programs that print secrets are run. If not, their secrets are empty.
  /// - Throws: Every problem of the file at once.
  public static func load(
    path: String, environment: [String: String], runsPrograms: Bool = false
  ) throws(ConfigurationError) -> ProxyConfiguration {
    let bytes: [UInt8]
    do {
      bytes = try SensitiveFile.read(path: path, limit: SourceText.sizeLimit) { span, _ in
        span.indices.map { span[$0] }
      }
    } catch {
      let complaint = error.complaint(limit: "1 MB")
      throw ConfigurationError(problems: [ConfigurationProblem(file: path, message: "the file \(complaint)")])
    }
    return try parse(bytes, fileName: path, environment: environment, runsPrograms: runsPrograms)
  }

  /// The configuration in `bytes`, for which messages and relative paths use `fileName`.
  ///
  /// - Throws: Every problem of the file at once.
  public static func parse(
    _ bytes: [UInt8], fileName: String, environment: [String: String], runsPrograms: Bool = false
  ) throws(ConfigurationError) -> ProxyConfiguration {
    let findings = Findings(file: fileName, environment: environment, runsPrograms: runsPrograms)
    let root = TreeBuilder.tree(bytes, findings: findings)
    findings.secretVariables = root.map(SecretVariables.names) ?? []
    let configuration = root.flatMap { ProxyConfiguration.read(Setting(node: $0, path: "", findings: findings)) }
    guard var configuration, findings.problems.isEmpty else {
      throw ConfigurationError(problems: findings.problems.sorted(by: inOrderOfFile))
    }
    configuration.warnings = findings.warnings.sorted(by: inOrderOfFile)
    return configuration
  }

  private static func inOrderOfFile(_ one: ConfigurationProblem, _ other: ConfigurationProblem) -> Bool {
    (one.line, one.column) < (other.line, other.column)
  }
}
