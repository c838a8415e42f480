internal import ArgumentParser
internal import Configuration
internal import ProxyCore

/// `m2m-proxy check`.
struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Reads the configuration and says what is wrong with it, or how requests will be matched.",
    discussion: "Exits with 64 when there is a problem. Nothing is bound, no token is fetched, and no program is run.")

  @OptionGroup var file: ConfigurationOption

  @Flag(help: "List every setting with what it is for, how it is written, and its default; no file is read.")
  var settings = false

  @Flag(help: "Print the JSON Schema of the configuration, for editors; no file is read.")
  var schema = false

  func validate() throws {
    guard [settings, schema, file.named != nil].count(where: { $0 }) <= 1 else {
      throw ValidationError("--settings, --schema and a configuration file exclude each other.")
    }
  }

  func run() throws {
    if settings { return print(SettingsReport(TopSettings.group).text) }
    if schema { return print(TopSettings.schema) }
    let loaded = try LoadedConfiguration(file, needsAuthority: true)
    let authority = try loaded.authority()
    print(RouteReport(loaded.configuration).text)
    if let authority { print(authority.line) }
    print("memory   \(MemoryBound(loaded.configuration.limits.memory))")
    for warning in loaded.configuration.warnings + (authority?.warnings ?? []) { print("warning  \(warning)") }
    print("\(loaded.path) is valid.")
  }
}

/// Every setting on one line with its summary, for grep.
struct SettingsReport {
  let text: String

  private static let widestName = 34

  init(_ group: SettingGroup) {
    text = group.all.map { group in
      (["\(group.name): \(group.summary)"] + group.settings.map { Self.line($0, group.prefix) }).joined(separator: "\n")
    }.joined(separator: "\n\n")
  }

  private static func line(_ setting: SettingDeclaration, _ prefix: String) -> String {
    let name = prefix + setting.name
    let gap = String(repeating: " ", count: max(1, widestName - name.count))
    var notes = [setting.type.documented]
    switch setting.fallback {
    case .required: notes.append("required")
    case .none: break
    case .value, .described: notes.append("default \(setting.documentedDefault)")
    }
    if setting.change == .restart { notes.append("a change takes a restart") }
    return "  \(name)\(gap)\(plain(setting.summary))  (\(plain(notes.joined(separator: "; "))))"
  }

  /// `markdown` for a terminal: without backquotes and emphasis, and with only the text of links.
  private static func plain(_ markdown: String) -> String {
    markdown.replacing(#/\[([^\]]*)\]\([^)]*\)/#) { String($0.1) }.replacing(#/[`*]/#, with: "")
  }
}
