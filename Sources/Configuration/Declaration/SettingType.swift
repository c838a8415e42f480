/// The form of a setting's value: its description in the reference, and the JSON Schema.
///
/// A ``Format`` reads values; it is stricter where a rule cannot be expressed in a few words.
public indirect enum SettingType: Sendable {
  /// This word.
  case word(String)
  /// One of these words.
  case choice([String])
  /// `true` or `false`.
  case truth
  /// `on` or `off`.
  case onOff
  /// A whole number.
  case number(ClosedRange<Int>)
  /// A number of bytes: `512`, `8KB`.
  case size(ClosedRange<Int>)
  /// A number of bytes per second.
  case rate(ClosedRange<Int>)
  /// `500ms`, `10s`.
  case duration
  /// A percentage: `90%`.
  case share
  /// A text of the kind that the word names. `pattern` is a regular expression for the whole text. `numbers` are those texts
  /// that YAML reads as numbers, if the pattern does not tell.
  case text(String, pattern: String? = nil, numbers: ClosedRange<Int>? = nil)
  /// A program and its arguments.
  case arguments
  /// A value, or a non-empty list of values.
  case list(SettingType)
  /// A non-empty list of values.
  case listOnly(SettingType)
  /// A list of values, which may be empty.
  case anyList(SettingType)
  /// A mapping with these settings.
  case section(SettingGroup)
  /// A mapping from names that the user chooses, except for these, to sections.
  case sections(SettingGroup, except: [String])
  /// A mapping from names that the user chooses, and that match `pattern`, to values.
  case values(SettingType, pattern: String)
  /// Any of these.
  case either([SettingType])
  /// A type whose values the reference lists elsewhere, as described.
  case listedElsewhere(SettingType, String)

  /// `type`, or the word `off`.
  public static func orOff(_ type: SettingType) -> SettingType { .either([type, .word("off")]) }

  /// The type in the reference: `size, 1KB to 48KB`; in Markdown.
  public var documented: String {
    switch self {
    case .word(let word): "`\(word)`"
    case .choice(let words): words.map { "`\($0)`" }.joined(separator: ", ")
    case .truth: "`true`, `false`"
    case .onOff: "`on`, `off`"
    case .number(let range):
      range.upperBound == .max ? "from \(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
    case .size(let range): "size, \(sizeText(range.lowerBound)) to \(sizeText(range.upperBound))"
    case .rate(let range): "bytes per second, \(sizeText(range.lowerBound)) to \(sizeText(range.upperBound))"
    case .duration: "duration"
    case .share: "`1%` to `99%`"
    case .text(let kind, _, _): kind
    case .arguments: "a list: text"
    case .list(let type): "\(type.documented), or a list"
    case .listOnly(.section), .anyList(.section): "list of sections"
    case .listOnly(let type), .anyList(let type): "a list: \(type.documented)"
    case .section(let group): group.form
    case .sections: "sections by name"
    case .values: "mapping"
    case .either(let types): types.map(\.documented).joined(separator: ", or ")
    case .listedElsewhere(_, let words): words
    }
  }

  /// The sections that the value may contain.
  var groups: [SettingGroup] {
    switch self {
    case .section(let group), .sections(let group, _): [group]
    case .list(let type), .listOnly(let type), .anyList(let type), .values(let type, _): type.groups
    case .either(let types): types.flatMap(\.groups)
    case .listedElsewhere(let type, _): type.groups
    default: []
    }
  }
}

extension SettingType {
  // A value may be, or contain, an environment variable anywhere; "$$" means "$".
  private static let variable = JSONValue.object([
    ("type", "string"), ("pattern", #"(^|[^$])(\$\$)*\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^$}]*)?\}"#),
  ])

  /// The JSON Schema of a value, as YAML's core schema reads it: `8080` is a number.
  func schema() -> JSONValue {
    switch self {
    case .section(let group): group.reference
    case .sections(let group, let reserved):
      .object([
        ("type", "object"), ("propertyNames", Self.names(except: reserved)), ("additionalProperties", group.reference),
      ])
    case .values(let type, let pattern):
      .object([
        ("type", "object"), ("propertyNames", .object([("pattern", .string("^(\(pattern))$"))])),
        ("additionalProperties", type.schema()),
      ])
    case .arguments:
      .object([
        ("type", "array"), ("minItems", 1),
        ("items", .object([("type", .array(["string", "number", "boolean"])), ("pattern", .string(Self.line))])),
      ])
    case .listOnly(let type): .object([("minItems", 1)] + Self.list(of: type))
    case .anyList(let type): .object(Self.list(of: type))
    default:
      .anyOf(forms.flatMap { $0.isScalar ? $0.scalar : [$0.schema()] } + (needsVariable ? [Self.variable] : []))
    }
  }

  // The possible forms of the value, each without a choice.
  private var forms: [SettingType] {
    switch self {
    case .either(let types): types.flatMap(\.forms)
    case .list(let type): type.forms + [.listOnly(type)]
    case .listedElsewhere(let type, _): type.forms
    default: [self]
    }
  }

  private var isScalar: Bool { !scalar.isEmpty }

  // Whether an environment variable is possible there, and no other form covers it.
  private var needsVariable: Bool {
    let scalars = forms.filter(\.isScalar)
    return !scalars.isEmpty && !scalars.contains { if case .text(_, nil, _) = $0 { true } else { false } }
  }

  private static func list(of type: SettingType) -> [(name: String, value: JSONValue)] {
    [("type", "array"), ("uniqueItems", .truth(true)), ("items", type.schema())]
  }

  private static func names(except reserved: [String]) -> JSONValue {
    .object([
      ("pattern", .string("^[A-Za-z0-9._-]{1,64}$")),
      ("not", .object([("enum", .array(reserved.map(JSONValue.string)))])),
    ])
  }

  private var scalar: [JSONValue] {
    switch self {
    case .word(let word): [.object([("const", .string(word))])]
    case .choice(let words):
      [.object([("enum", .array(words.map(JSONValue.string) + words.filter(Self.isNumber).map(JSONValue.literal)))])]
    case .truth: [.object([("enum", .array([.truth(true), .truth(false), "true", "false"]))])]
    case .onOff: [.object([("enum", .array(["on", "off", .truth(true), .truth(false), "true", "false"]))])]
    case .number(let range): Self.wholeNumbers(range) + [.matching(numberPattern(range))]
    case .size(let range), .rate(let range): Self.wholeNumbers(range) + [.matching(quantityPattern(range, sizeUnits))]
    case .duration: [.matching(quantityPattern(durationRange, durationUnits))]
    case .share: [.matching("[1-9][0-9]?%")]
    case .text(_, let pattern?, let numbers): Self.text(pattern, numbers)
    case .text:
      [
        .object([
          ("type", .array(["string", "number", "boolean"])), ("minLength", 1), ("pattern", .string(Self.line)),
        ])
      ]
    case .arguments, .list, .listOnly, .anyList, .section, .sections, .values, .either, .listedElsewhere: []
    }
  }

  // YAML reads text that looks like a number or a truth value as one.
  private static func text(_ pattern: String, _ numbers: ClosedRange<Int>?) -> [JSONValue] {
    var others: [JSONValue] = []
    if let numbers {
      others = wholeNumbers(numbers)
    } else if "1.5".wholeMatches(pattern) {
      others = [.object([("type", "number")])]
    } else if "7".wholeMatches(pattern) {
      others = [.object([("type", "integer")])]
    }
    if "true".wholeMatches(pattern) { others.append(.object([("type", "boolean")])) }
    return [.matching(pattern)] + others
  }

  // Whether YAML reads the word as a number: `1.2`.
  private static func isNumber(_ word: String) -> Bool { word.wholeMatch(of: #/[0-9]+(\.[0-9]+)?/#) != nil }

  // One line without control characters; it may be empty.
  private static let line = #"^[^\u0000-\u001f\u007f]*$"#

  private static func wholeNumbers(_ range: ClosedRange<Int>) -> [JSONValue] {
    [.object([("type", "integer"), ("minimum", .number(range.lowerBound)), ("maximum", .number(range.upperBound))])]
  }
}

extension String {
  fileprivate func wholeMatches(_ pattern: String) -> Bool {
    guard let expression = try? Regex(pattern) else { preconditionFailure("\(pattern) is no regular expression") }
    return wholeMatch(of: expression) != nil
  }
}

/// A JSON value whose members keep their order.
public indirect enum JSONValue: Sendable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
  case string(String)
  case number(Int)
  /// A number as it is written.
  case literal(String)
  case truth(Bool)
  case array([JSONValue])
  case object([(name: String, value: JSONValue)])

  /// The text.
  public init(stringLiteral text: String) { self = .string(text) }
  /// The number.
  public init(integerLiteral number: Int) { self = .number(number) }

  /// A text that matches `pattern` as a whole.
  static func matching(_ pattern: String) -> JSONValue {
    .object([("type", "string"), ("pattern", .string("^(\(pattern))$"))])
  }

  /// Accepts what one of `schemas` accepts.
  static func anyOf(_ schemas: [JSONValue]) -> JSONValue {
    schemas.count == 1 ? schemas[0] : .object([("anyOf", .array(schemas))])
  }
}
