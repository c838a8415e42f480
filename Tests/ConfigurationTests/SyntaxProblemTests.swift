import Secrets
import Testing

@testable import Configuration

@Suite("A file that violates YAML or proxy.conf")
struct SyntaxProblemTests {
  static let quotes = "put a value that contains it in quotes"
  static let begins = "put a value that begins with it in quotes"

  @Test(
    "is told with the place, in plain words",
    arguments: [
      Case(
        "a: b: c",
        "1:5: there is one colon too many; indent the line as the one above, or put a value with a colon in quotes"),
      Case(
        "a: 1\n  b: 2",
        "2:4: there is one colon too many; indent the line as the one above, or put a value with a colon in quotes"),
      Case(
        "a\nb: c",
        "2:2: there is one colon too many; indent the line as the one above, or put a value with a colon in quotes"),
      Case("a: 1\nb\n", #"2:1: a setting is written "name: value"; here the colon or the space behind it is missing"#),
      Case(
        "a: 1\nb:2\nc: 3", #"2:1: a setting is written "name: value"; here the colon or the space behind it is missing"#
      ),
      Case("a:\n    b: 1\n  c: 2", "3:3: the line is not indented as those above it"),
      Case("a:\n  - b: 1\n   c: 2", "3:4: the line is not indented as those above it"),
      Case("a:\n  - b: 1\n - c: 2", "3:2: the line is not indented as those above it"),
      Case("a: 1\n- b", "2:1: the line is not indented as those above it"),
      Case("- a\nb: c", "2:1: the line is not indented as those above it"),
      Case(
        "a: 'it's'",
        #"1:8: the value ends before this; put the whole value in quotes, or separate the comment with " #""#),
      Case(
        #"a: "x" y"#,
        #"1:8: the value ends before this; put the whole value in quotes, or separate the comment with " #""#),
      Case(
        #"a: [x] y"#,
        #"1:8: the value ends before this; put the whole value in quotes, or separate the comment with " #""#),
      Case("a: - b", "1:4: a list begins on a line of its own"),
      Case("a:\n  b: \"c\n  d: e\n", "2:6: the quotation mark here is never closed"),
      Case("a: 'b", "1:4: the quotation mark here is never closed"),
      Case("a: \"b\n---\nc\"", "1:4: the quotation mark here is never closed"),
      Case(#"a: "\d""#, #"1:5: a backslash in double quotes begins an escape; write \\ for one, or use single quotes"#),
      Case("a: [b, c\nd: e", #"2:2: the [ of line 1 is not closed; a "," or "]" is missing"#),
      Case("a:\n  b: {c: d\ne: f", #"3:2: the { of line 2 is not closed; a "," or "}" is missing"#),
      Case("a: {b: ${X}}", "1:9: inside [ ] and { }, put ${...} in quotes"),
      Case("a: [${X}]", "1:6: inside [ ] and { }, put ${...} in quotes"),
      Case("listen: [::1]:8080", #"1:10: an IPv6 address in brackets must be in quotes, such as "[::1]:8080""#),
      Case(
        "listen:\n  - [2001:db8::1]:8080", #"2:18: an IPv6 address in brackets must be in quotes, such as "[::1]:8080""#
      ),
      Case("a: *.b", "1:4: a value that begins with * must be in quotes, such as \"*.example.com\""),
      Case("a: [b, *.c]", "1:8: a value that begins with * must be in quotes, such as \"*.example.com\""),
      Case("a: @b", "1:4: \"@\" cannot stand here; \(quotes)"),
      Case("a: `b`", "1:4: \"`\" cannot stand here; \(quotes)"),
      Case("a: %b", "1:4: \"%\" cannot stand here; \(quotes)"),
      Case("a: ,b", "1:4: \",\" cannot stand here; \(quotes)"),
      Case("a: ]", "1:4: \"]\" cannot stand here; \(quotes)"),
      Case("a: ? b", "1:4: \"?\" cannot stand here; \(quotes)"),
      Case("a: \t- b", "1:5: a list begins on a line of its own"),
      Case("a: &", "1:5: this cannot stand here; \(quotes)"),
      Case(
        "a: >-3x\n  b",
        "1:7: this is not YAML: while scanning a block scalar, did not find expected comment or line break"),
      Case("%YAML 3.0\n---\na: b", "1:1: this is not YAML: found incompatible YAML document"),
      Case("a: b\n---\nc: d", #"2:1: proxy.conf is one document; remove this "---""#),
      Case(
        "a: b\n...\nc: d", #"3:1: proxy.conf is one document; remove the line above that consists of "---" or "...""#),
      Case("\ta: b", "1:1: a tab indents this line; YAML indents with spaces only"),
      Case("a:\n  \tb: c", "2:3: a tab indents this line; YAML indents with spaces only"),
      Case("a: b\rc: d", "1:5: a CR without LF stands here; end lines with LF or CRLF"),
      Case("a: b\r\r\nc: d\r\n", "1:5: a CR without LF stands here; end lines with LF or CRLF"),
      Case("\u{FEFF}\u{FEFF}a: b", "1:1: the character U+FEFF cannot be used here; remove it"),
      Case("a: \u{FEFF}b", "1:4: the character U+FEFF cannot be used here; remove it"),
      Case("a: b\0", "1:5: the character U+0000 cannot be used here; remove it"),
      Case("a: é\u{1B}[2J", "1:5: the character U+001B cannot be used here; remove it"),
      Case("a: \u{85}", "1:4: the character U+0085 cannot be used here; remove it"),
      Case("a: \u{2028}", "1:4: the character U+2028 cannot be used here; remove it"),
      Case("a: \u{202E}b", "1:4: the character U+202E cannot be used here; remove it"),
      Case("a: \u{FFFE}", "1:4: the character U+FFFE cannot be used here; remove it"),
      Case("- a", "1:1: the file must be a mapping of settings (name: value), not a list"),
      Case("hunter2", "1:1: the file must be a mapping of settings (name: value), not text"),
      Case("---\n", "2:1: the file must be a mapping of settings (name: value), not nothing"),
      Case("", " the file is empty; proxy.conf.example shows what belongs in it"),
      Case("# only a comment\n\n", " the file is empty; proxy.conf.example shows what belongs in it"),
      Case("{}", "1:1: routes is missing; it must be a list of routes, each with name, and match or mount"),
    ])
  func told(example: Case) {
    #expect(problems(example.text) == example.expected)
  }

  @Test(
    "is told of every part of YAML that proxy.conf does without, and of nothing that follows from it",
    arguments: [
      Case("loops: &two 2", "5:8: loops: anchors (&) are not supported; \(begins)"),
      Case("loops: *two", "5:8: loops: aliases (*) are not supported; write the value out, or \(begins)"),
      Case("loops: !!int 2", "5:8: loops: tags (!) are not supported; \(begins)"),
      Case("loops: ! 2", "5:8: loops: tags (!) are not supported; \(begins)"),
      Case("loops: !two", "5:8: loops: tags (!) are not supported; \(begins)"),
      Case("loops: !<two> 2", "5:8: loops: tags (!) are not supported; \(begins)"),
      Case(
        "loops: &a !b 2", "5:8: loops: anchors (&) are not supported; \(begins)",
        "5:8: loops: tags (!) are not supported; \(begins)"),
      Case("log: &log { level: info }", "5:6: log: anchors (&) are not supported; \(begins)"),
      Case("log: !log { level: info }", "5:6: log: tags (!) are not supported; \(begins)"),
      Case("listen: &l [8080]", "5:9: listen: anchors (&) are not supported; \(begins)"),
      Case("listen: [8080, &l 8081]", "5:16: listen[1]: anchors (&) are not supported; \(begins)"),
      Case("log: { level: *l }", "5:15: log.level: aliases (*) are not supported; write the value out, or \(begins)"),
      Case("&l loops: 2", "5:1: anchors (&) are not supported; \(begins)"),
      Case("*l : 2", "5:1: aliases (*) are not supported; write the value out, or \(begins)"),
      Case("<<: { loops: 2 }", "5:1: merge keys (<<) are not supported; write the settings out"),
      Case(
        "log:\n  <<: *log\n", "6:3: log: merge keys (<<) are not supported; write the settings out",
        "6:7: log: aliases (*) are not supported; write the value out, or \(begins)"),
      Case("? [loops]\n: 2", "5:3: the name of a setting must be a word, not a list"),
      Case("? { loops: 2 }\n: 2", "5:3: the name of a setting must be a word, not a mapping"),
      Case("loops: 2\n  3", "5:8: loops: a value must be on one line, or in quotes"),
      Case("listen: [80\n  80]", "5:10: listen[0]: a value must be on one line, or in quotes"),
    ])
  func refused(example: Case) {
    #expect(problems(faultless + example.text + "\n") == example.expected)
  }

  @Test("has a problem for bytes that are not UTF-8, with the position in characters")
  func encoding() {
    for (bytes, expected) in [
      ([0x61, 0x3A, 0x20, 0xFF], "1:4: the file is not UTF-8 text (byte 0xFF); save it as UTF-8"),
      ([0xC3, 0xA9, 0x3A, 0x0A, 0xC3, 0xA9, 0xE9], "2:2: the file is not UTF-8 text (byte 0xE9); save it as UTF-8"),
      ([0x61, 0xC0, 0x80], "1:2: the file is not UTF-8 text (byte 0xC0); save it as UTF-8"),
      ([0x61, 0xED, 0xA0, 0x80], "1:2: the file is not UTF-8 text (byte 0xED); save it as UTF-8"),
      ([0x61, 0xF0, 0x9F, 0x98], "1:2: the file is not UTF-8 text (byte 0xF0); save it as UTF-8"),
      ([0xFF, 0xFE, 0x61, 0x00], "1:1: the file is UTF-16; save it as UTF-8"),
      ([0xFE, 0xFF, 0x00, 0x61], "1:1: the file is UTF-16; save it as UTF-8"),
    ] as [([UInt8], String)] {
      let error = #expect(throws: ConfigurationError.self) {
        try ConfigurationLoader.parse(bytes, fileName: "proxy.conf", environment: [:])
      }
      #expect(error?.problems.map(\.description) == ["proxy.conf:\(expected)"])
    }
  }

  @Test("is refused when it is too large, too deep or too much")
  func bounds() {
    let comment = String(repeating: "#", count: 1024 * 1024 - faultless.utf8.count)
    #expect(problems(faultless + comment) == [])
    #expect(problems(faultless + comment + "#") == [" the file is larger than 1 MB, which is no configuration"])

    let nested = "a: " + String(repeating: "[", count: 16) + String(repeating: "]", count: 16)
    #expect(problems(faultless + nested).count == 1)
    #expect(problems(faultless + nested).first?.hasPrefix("5:1: unknown setting") == true)
    #expect(
      problems("a: " + String(repeating: "[", count: 17) + String(repeating: "]", count: 17))
        == ["1:20: lists and mappings are nested more than 16 levels deep"])
    #expect(
      problems("a: " + String(repeating: "[", count: 500_000))
        == ["1:20: lists and mappings are nested more than 16 levels deep"])
    #expect(
      problems("a: [" + String(repeating: "b,", count: 250_000) + "]")
        == ["1:399999: the file has more than 200000 values and keys"])
  }

  @Test("is read if it is unusual but unambiguous")
  func unusual() throws {
    let text = """
      # Comments, quotes, an explicit start and end of the document
      ---
      "loops": '2'   # two
      'log': {"level": debug, access: 'off',}
      listen:
      - "127.0.0.1:0"
      - 0
      admin:   off
      credentials:
          kinde:
              domain: acme.kinde.com
              client_id: >-
                client-1
              client_secret: ${SECRET}
      routes:
      -   name: "\\x6frders"
          match:
          - orders.internal
          audience: ä
      ...
      """
    let configuration = try configuration(text)
    #expect(configuration.loops == 2)
    #expect(configuration.log == LogSettings(level: .debug, access: .off))
    #expect(configuration.listen.map(\.address.tcp?.port) == [0, 0])
    #expect(configuration.admin == nil)
    #expect(configuration.credentials[0].clientID == "client-1")
    #expect(configuration.routes[0].name == "orders")
    #expect(configuration.routes[0].audience == "ä")
  }
}
