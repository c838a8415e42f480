internal import Encodings

/// The declaration of a setting of proxy.conf, next to the property that it sets: everything about it except its value. The
/// reader, the tables of docs/configuration.md, the JSON Schema and `m2m-proxy check --settings` use it.
public struct SettingDeclaration: Sendable {
  /// The value if the setting is not written.
  public enum Default: Sendable {
    /// There is none: the setting is required.
    case required
    /// Nothing.
    case none
    /// This value.
    case value(String)
    /// A description of the default, in Markdown.
    case described(String)
  }

  /// When a changed value takes effect.
  public enum Change: Sendable {
    /// When proxy.conf is loaded again.
    case reload
    /// When the process starts again.
    case restart
  }

  /// Its name.
  public let name: String
  /// The form of its value.
  public let type: SettingType
  /// Its default.
  public let fallback: Default
  /// What it is for, in Markdown: one sentence of at most 120 characters, without a full stop.
  public let summary: String
  /// When a change takes effect.
  public let change: Change

  init(
    _ name: String, _ type: SettingType, default fallback: Default = .none, _ summary: String, change: Change = .reload
  ) {
    self.name = name
    self.type = type
    self.fallback = fallback
    self.summary = summary
    self.change = change
  }

  /// Its summary and its default, in Markdown without links, for the schema.
  var description: String {
    let text = summary.replacing(#/; see \[.*?\]\(.*?\)/#, with: "").replacing(#/\[(.*?)\]\(.*?\)/#) { $0.1 }
    return switch fallback {
    case .required, .none: text
    case .value, .described: "\(text) (default: \(documentedDefault))"
    }
  }

  /// The default as the reference shows it, in Markdown.
  public var documentedDefault: String {
    switch fallback {
    case .required: "required"
    case .none: "none"
    case .value(let text): "`\(text)`"
    case .described(let text): text
    }
  }
}

/// A setting whose value is one text, with its format.
struct Declared<Value: Sendable>: Sendable {
  let declaration: SettingDeclaration
  let format: Format<Value>

  init(
    _ name: String, _ format: Format<Value>, default fallback: SettingDeclaration.Default = .none, _ summary: String
  ) {
    declaration = SettingDeclaration(name, format.type, default: fallback, summary)
    self.format = format
  }

  init(_ declaration: SettingDeclaration, _ format: Format<Value>) {
    self.declaration = declaration
    self.format = format
  }
}

/// A setting that becomes a property of `Model` unchanged, and has the property's default.
struct Field<Model>: Sendable {
  let declaration: SettingDeclaration
  let read: @Sendable (Section, inout Model) -> Void

  init<Value: Sendable>(
    _ name: String, _ property: any WritableKeyPath<Model, Value> & Sendable, _ format: Format<Value>, in model: Model,
    default fallback: SettingDeclaration.Default? = nil, _ summary: String
  ) {
    let value = format.written(model[keyPath: property])
    let declared = Declared(name, format, default: fallback ?? (value.isEmpty ? .none : .value(value)), summary)
    declaration = declared.declaration
    read = { section, model in
      if let value = section.value(declared) { model[keyPath: property] = value }
    }
  }

  /// A setting that `read` stores in the property, if it is written.
  init<Value>(
    _ declaration: SettingDeclaration, _ property: any WritableKeyPath<Model, Value> & Sendable,
    read: @escaping @Sendable (Setting) -> Value?
  ) {
    self.declaration = declaration
    self.read = { section, model in
      if let value = section[declaration].flatMap(read) { model[keyPath: property] = value }
    }
  }
}

/// The settings that one mapping may have.
public struct SettingGroup: Sendable {
  /// The name of the mapping in the schema and in `check --settings`: `route`, `limits`.
  public let name: String
  /// The prefix of each setting's name in the reference: `limits.`, or "".
  public let prefix: String
  /// A description of the mapping, for the schema.
  public let summary: String
  /// The settings, in the order of the reference.
  public let settings: [SettingDeclaration]
  /// Which settings must be there, besides those that are always required.
  public let need: Need
  /// The form of the mapping in the reference, as the value of a setting; in Markdown.
  public let form: String

  let names: [String]
  let known: Set<String>

  /// Which of several settings must be there.
  public enum Need: Sendable {
    /// None.
    case nothing
    /// At least one of these.
    case anyOf([SettingDeclaration])
    /// Exactly one of these.
    case oneOf([SettingDeclaration])
  }

  init(
    _ name: String, prefix: String = "", form: String = "section", _ summary: String, _ settings: [SettingDeclaration],
    need: Need = .nothing
  ) {
    self.name = name
    self.prefix = prefix
    self.form = form
    self.summary = summary
    self.settings = settings
    self.need = need
    names = settings.map(\.name)
    known = Set(names)
    assert(known.count == names.count, "a setting is declared twice")
  }

  /// This group, and the groups of all sections in it, without duplicates.
  public var all: [SettingGroup] {
    var found: [SettingGroup] = []
    collect(into: &found)
    return found
  }

  private func collect(into found: inout [SettingGroup]) {
    guard !found.contains(where: { $0.name == name }) else { return }
    found.append(self)
    for setting in settings { for group in setting.type.groups { group.collect(into: &found) } }
  }
}

extension SettingGroup {
  /// The sections below this one that have a setting of this name, such as `listen.tls`; each at its first place.
  func places(of name: String) -> [String] {
    var visited: Set<String> = []
    return places(of: name, at: "", &visited)
  }

  private func places(of name: String, at path: String, _ visited: inout Set<String>) -> [String] {
    guard visited.insert(self.name).inserted else { return [] }
    var found = known.contains(name) && !path.isEmpty ? [path] : []
    for setting in settings {
      for group in setting.type.groups {
        found += group.places(of: name, at: SettingPath.join(path, setting.name), &visited)
      }
    }
    return found
  }
}

// MARK: The schema

extension SettingGroup {
  /// How other parts of the schema refer to this one.
  var reference: JSONValue { .object([("$ref", .string("#/definitions/\(name)"))]) }

  private func definition() -> [(name: String, value: JSONValue)] {
    let properties = settings.map { setting in
      var schema = setting.type.schema()
      let description = ("description", JSONValue.string(setting.description))
      // Validators ignore a description next to a reference, but editors show it.
      if case .object(let members) = schema { schema = .object([description] + members) }
      return (name: setting.name, value: schema)
    }
    let required = settings.compactMap { setting -> JSONValue? in
      if case .required = setting.fallback { .string(setting.name) } else { nil }
    }
    var members: [(name: String, value: JSONValue)] = [("description", .string(summary)), ("type", "object")]
    if !required.isEmpty { members.append(("required", .array(required))) }
    switch need {
    case .nothing: break
    case .anyOf(let settings): members.append(("anyOf", Self.presence(of: settings)))
    case .oneOf(let settings): members.append(("oneOf", Self.presence(of: settings)))
    }
    members += [("properties", .object(properties)), ("additionalProperties", .truth(false))]
    return members
  }

  private static func presence(of settings: [SettingDeclaration]) -> JSONValue {
    .array(settings.map { .object([("required", .array([.string($0.name)]))]) })
  }

  /// The JSON Schema of a file with these settings at the top level: draft 7, the latest that most editors know.
  public func schema(id: String, title: String) -> JSONValue {
    let definitions = all.dropFirst().map { (name: $0.name, value: JSONValue.object($0.definition())) }
    return .object(
      [
        ("$schema", "http://json-schema.org/draft-07/schema#"), ("$id", .string(id)), ("title", .string(title)),
      ] + definition() + [("definitions", .object(definitions))])
  }
}

extension JSONValue: CustomStringConvertible {
  /// The value over several lines, each level indented by two spaces.
  public var description: String { text(indentedBy: "") }

  private func text(indentedBy indentation: String) -> String {
    let inner = indentation + "  "
    switch self {
    case .string(let text): return JSONText.quoted(text)
    case .number(let number): return String(number)
    case .literal(let number): return number
    case .truth(let truth): return truth ? "true" : "false"
    case .array(let values):
      let isFlat = values.allSatisfy { if case .object = $0 { false } else { true } }
      if isFlat { return "[\(values.map { $0.text(indentedBy: "") }.joined(separator: ", "))]" }
      return "[\n\(values.map { inner + $0.text(indentedBy: inner) }.joined(separator: ",\n"))\n\(indentation)]"
    case .object(let members):
      if members.isEmpty { return "{}" }
      let isFlat = members.allSatisfy { member in
        switch member.value {
        case .string, .number, .literal, .truth: true
        case .array(let values): values.allSatisfy { if case .object = $0 { false } else { true } }
        case .object: false
        }
      }
      let flat = members.map { "\(JSONText.quoted($0.name)): \($0.value.text(indentedBy: ""))" }.joined(separator: ", ")
      if isFlat, flat.count <= 100 { return "{ \(flat) }" }
      let lines = members.map { "\(inner)\(JSONText.quoted($0.name)): \($0.value.text(indentedBy: inner))" }
      return "{\n\(lines.joined(separator: ",\n"))\n\(indentation)}"
    }
  }
}
