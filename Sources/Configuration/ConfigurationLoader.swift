public import Secrets

/// Where proxy.conf is.
public enum ConfigurationSource: Sendable {
  /// In a file; relative paths in it count from its directory.
  case file(path: String)
  /// On standard input; relative paths in it count from the working directory.
  case standardInput

  /// What messages call it.
  public var name: String {
    switch self {
    case .file(let path): path
    case .standardInput: "standard input"
    }
  }

  /// The command line that runs m2m-proxy with `words` for the configuration that messages call `name`.
  public static func command(_ words: String, reading name: String) -> String {
    let option = name == ConfigurationSource.standardInput.name ? "" : " --config \(name.asShellWord)"
    return "m2m-proxy \(words)\(option)"
  }
}

/// Reads proxy.conf.
public enum ConfigurationLoader {
  /// The configuration in `source`.
  ///
  /// - Parameters:
  ///   - source: Where it is. Messages name a file as it is named here.
  ///   - environment: What `${NAME}` stands for, and where secrets of the form `{ env: NAME }` are.
  ///   - runsPrograms: Whether programs that print secrets are run. If not, their secrets are empty.
  ///   - needsAuthority: Whether a certificate authority that is missing is named beside the other problems. It is not looked
  ///     for where there are none.
  ///   - onHardening: Is called with the setting `hardening` before any secret is read, and any program run.
  /// - Throws: Every problem of the file at once.
  public static func load(
    _ source: ConfigurationSource, environment: Environment, runsPrograms: Bool = false, needsAuthority: Bool = false,
    onHardening: ((Bool) -> Void)? = nil
  ) throws(ConfigurationError) -> ProxyConfiguration {
    let bytes = try read(source)
    return try parse(
      bytes, fileName: source.name, environment: environment, runsPrograms: runsPrograms,
      needsAuthority: needsAuthority,
      onHardening: onHardening)
  }

  static func read(_ source: ConfigurationSource) throws(ConfigurationError) -> [UInt8] {
    do {
      return switch source {
      case .file(let path):
        try SensitiveFile.read(path: path, limit: SourceText.sizeLimit) { span, _ in copy(span) }
      case .standardInput: try SensitiveFile.readStandardInput(limit: SourceText.sizeLimit, copy)
      }
    } catch {
      let complaint = error.complaint(limit: "1 MB")
      let message = if case .file = source { "the file \(complaint)" } else { complaint }
      throw ConfigurationError(problems: [ConfigurationProblem(file: source.name, message: message)])
    }
  }

  private static func copy(_ span: Span<UInt8>) -> [UInt8] { span.indices.map { span[$0] } }

  /// The configuration in `bytes`, for which messages and relative paths use `fileName`.
  ///
  /// - Throws: Every problem of the file at once.
  public static func parse(
    _ bytes: [UInt8], fileName: String, environment: Environment, runsPrograms: Bool = false,
    needsAuthority: Bool = false, onHardening: ((Bool) -> Void)? = nil
  ) throws(ConfigurationError) -> ProxyConfiguration {
    let findings = Findings(
      file: fileName, environment: environment, runsPrograms: runsPrograms, needsAuthority: needsAuthority)
    let root = TreeBuilder.tree(bytes, findings: findings)
    findings.onHardening = onHardening
    findings.secretVariables = root.map(SecretVariables.names) ?? []
    let configuration = root.flatMap { ProxyConfiguration.read(Setting(node: $0, path: "", findings: findings)) }
    guard var configuration, findings.problems.isEmpty else {
      throw ConfigurationError(problems: findings.problems.sorted(by: inOrderOfFile))
    }
    configuration.warnings = findings.warnings.sorted(by: inOrderOfFile)
    configuration.text = ConfigurationText(bytes)
    configuration.secretVariables = findings.secretVariables.union(
      environment.names.filter(SecretVariables.isNameOfSecret))
    return configuration
  }

  private static func inOrderOfFile(_ one: ConfigurationProblem, _ other: ConfigurationProblem) -> Bool {
    (one.line, one.column) < (other.line, other.column)
  }
}
