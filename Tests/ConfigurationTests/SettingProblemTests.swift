import Configuration
import Secrets
import Testing

/// A setting, or several, added to ``faultless`` from line 5 on, and what is said of it.
struct Case: Sendable, CustomTestStringConvertible {
  let text: String
  let expected: [String]

  init(_ text: String, _ expected: String...) {
    self.text = text
    self.expected = expected
  }

  var testDescription: String { text }
}

private let access = "on, off, errors, slow:500ms (any duration) or sample:1% (any share)"
private let sample = "sample: and a share of more than 0% and less than 100%, such as sample:0.5%"

@Suite("A wrong setting")
struct SettingProblemTests {
  static let durations = [
    "head", "handshake", "idle", "body", "token", "connect", "first_byte", "upstream_idle", "drain",
  ]
  static let noDurations: [(text: String, complaint: String)] = [
    ("soon", #"must be a duration such as 500ms or 10s, not "soon""#),
    ("10", #"must be a duration such as 500ms or 10s, not "10"; add the unit: ms, s, m or h"#),
    ("0", #"must be a duration such as 500ms or 10s, not "0"; add the unit: ms, s, m or h"#),
    ("-1s", #"must be a duration such as 500ms or 10s, not "-1s""#),
    ("+1s", #"must be a duration such as 500ms or 10s, not "+1s""#),
    ("1.5s", #"must be a duration such as 500ms or 10s, not "1.5s""#),
    ("1 s", #"must be a duration such as 500ms or 10s, not "1 s""#),
    ("010s", #"must be a duration such as 500ms or 10s, not "010s""#),
    ("10S", #"must be a duration such as 500ms or 10s, not "10S""#),
    ("1d", #"must be a duration such as 500ms or 10s, not "1d""#),
    ("1m30s", #"must be a duration such as 500ms or 10s, not "1m30s""#),
    ("10sec", #"must be a duration such as 500ms or 10s, not "10sec""#),
    ("s", #"must be a duration such as 500ms or 10s, not "s""#),
    ("ms", #"must be a duration such as 500ms or 10s, not "ms""#),
    ("0x10s", #"must be a duration such as 500ms or 10s, not "0x10s""#),
    ("٣s", #"must be a duration such as 500ms or 10s, not "٣s""#),
    ("99999999999999999999s", #"must be a duration such as 500ms or 10s, not "99999999999999999999s""#),
    ("0s", #"must be a duration from 1ms to 24h, not "0s""#),
    ("0ms", #"must be a duration from 1ms to 24h, not "0ms""#),
    ("25h", #"must be a duration from 1ms to 24h, not "25h""#),
    ("86400001ms", #"must be a duration from 1ms to 24h, not "86400001ms""#),
    ("9223372036854775807h", #"must be a duration from 1ms to 24h, not "9223372036854775807h""#),
    (#""""#, #"must be a duration such as 500ms or 10s, not """#),
    ("", "must be a duration such as 500ms or 10s, not nothing"),
    ("[10s]", "must be a duration such as 500ms or 10s, not a list"),
    ("{ s: 10 }", "must be a duration such as 500ms or 10s, not a mapping"),
    ("${WORD}", #"must be a duration such as 500ms or 10s, not "soon" (from ${WORD})"#),
    ("1${WORD}", #"must be a duration such as 500ms or 10s, not "1soon" (from ${WORD})"#),
    ("${EMPTY}", #"must be a duration such as 500ms or 10s, not "" (from ${EMPTY})"#),
    ("${EMPTY:-0s}", #"must be a duration from 1ms to 24h, not "0s" (from ${EMPTY})"#),
    ("$${WORD}", #"must be a duration such as 500ms or 10s, not "${WORD}""#),
  ]

  @Test("that is no duration is shown, with what would be one", arguments: durations, noDurations)
  func duration(name: String, value: (text: String, complaint: String)) {
    let text = "\(faultless)timeouts:\n  \(name): \(value.text)\n"
    // Nothing begins right after the colon.
    let column = name.count + (value.text.isEmpty ? 4 : 5)
    #expect(problems(text) == ["6:\(column): timeouts.\(name) \(value.complaint)"])
  }

  static let numbers = [
    ("loops: ", "loops", "a number from 1 to 256"), ("limits:\n  fields: ", "limits.fields", "a number from 1 to 1000"),
    ("limits:\n  connections: ", "limits.connections", "a number from 1 to 1000000"),
    ("limits:\n  upstream_connections: ", "limits.upstream_connections", "a number from 1 to 65535"),
    ("limits:\n  queue: ", "limits.queue", "a number from 0 to 1000000"),
    ("limits:\n  head: ", "limits.head", "a size from 1KB to 48KB, such as 512, 8KB or 1MB"),
  ]

  @Test(
    "that is no number is shown, with the numbers that are possible", arguments: numbers,
    [
      "many", "-1", "+1", "1.0", "1e3", "0x10", "012", "10 000", "10_000", "99999999", "18446744073709551616", "10K",
      "1kb",
      "8KiB", "1TB", "KB", "9007199254740993MB",
    ])
  func number(setting: (prefix: String, path: String, expected: String), value: String) {
    let line = setting.prefix.contains("\n") ? 6 : 5
    let column = (setting.prefix.split(separator: "\n").last?.count ?? 0) + 1
    #expect(
      problems(faultless + setting.prefix + value)
        == ["\(line):\(column): \(setting.path) must be \(setting.expected), not \"\(value)\""])
  }

  @Test(
    "is told with its place and what belongs there",
    arguments: [
      Case(
        "limits: { head: 49KB }",
        #"5:17: limits.head must be a size from 1KB to 48KB, such as 512, 8KB or 1MB, not "49KB""#),
      Case(
        "limits: { head: 1023 }",
        #"5:17: limits.head must be a size from 1KB to 48KB, such as 512, 8KB or 1MB, not "1023""#),
      Case("loops: 0", #"5:8: loops must be a number from 1 to 256, not "0""#),
      Case("loops: 257", #"5:8: loops must be a number from 1 to 256, not "257""#),
      Case("loops: auto", #"5:8: loops must be a number from 1 to 256, not "auto""#),
      Case("loops:", "5:7: loops must be a number from 1 to 256, not nothing"),
      Case("log: debug", "5:6: log must be a mapping of settings, not text"),
      Case("log:", "5:5: log must be a mapping of settings, not nothing"),
      Case("log: [debug]", "5:6: log must be a mapping of settings, not a list"),
      Case(
        "log: { level: warn }",
        #"5:15: log.level must be debug, info, notice, warning or error, not "warn"; did you mean warning?"#),
      Case(
        "log: { level: Info }",
        #"5:15: log.level must be debug, info, notice, warning or error, not "Info"; did you mean info?"#),
      Case("log: { level: loud }", #"5:15: log.level must be debug, info, notice, warning or error, not "loud""#),
      Case("log: { format: jsno }", #"5:16: log.format must be auto, logfmt or json, not "jsno"; did you mean json?"#),
      Case("log: { format: xml }", #"5:16: log.format must be auto, logfmt or json, not "xml""#),
      Case("log: { access: yes }", #"5:16: log.access must be \#(access), not "yes""#),
      Case("log: { access: On }", #"5:16: log.access must be \#(access), not "On""#),
      Case("log: { access: slow }", #"5:16: log.access must be \#(access), not "slow"; add a duration: slow:500ms"#),
      Case("log: { access: sample }", #"5:16: log.access must be \#(access), not "sample"; add a share: sample:1%"#),
      Case(
        "log: { access: slow:25h }",
        #"5:16: log.access must be slow: and a duration from 1ms to 24h, such as slow:500ms, not "slow:25h""#),
      Case("log: { access: sample:100% }", #"5:16: log.access must be \#(sample), not "sample:100%""#),
      Case("log: { access: sample:0.00% }", #"5:16: log.access must be \#(sample), not "sample:0.00%""#),
      Case("log: { access: sample:1 }", #"5:16: log.access must be \#(sample), not "sample:1"; add the unit: %"#),
      Case(
        "log: { file: /m.log, syslog: on }",
        "5:14: log.file is for lines that go to a file, and log.syslog sends them elsewhere; leave one of them out"),
      Case("log: { syslog: maybe }", #"5:16: log.syslog must be on or off, not "maybe""#),
      Case(
        "log: { syslog: [] }",
        "5:16: log.syslog must be on, off, or a mapping with facility, tag and socket, not a list"),
      Case(
        "log: { syslog: { tag: a b } }",
        #"5:23: log.syslog.tag must be a name of 1 to 48 printable ASCII characters, not "a b""#),
      Case("log: { acess: on }", #"5:8: log: unknown setting "acess"; did you mean "access"?"#),
      Case("log: { path: x }", #"5:8: log: unknown setting "path"; known: format, level, access, file, syslog"#),
      Case("log: { level: info, level: info }", #"5:21: log: "level" is set twice; the first is in line 5"#),
      Case("tls: { ca_file: }", "5:17: tls.ca_file must be the path of a PEM file, not nothing"),
      Case(#"tls: { ca_file: "" }"#, #"5:17: tls.ca_file must be the path of a PEM file, not """#),
      Case("tls: { ca_file: [a] }", "5:17: tls.ca_file must be the path of a PEM file, not a list"),
      Case(
        "tls: { ca_file: /nowhere/ca.pem }",
        "5:17: tls.ca_file names the file /nowhere/ca.pem, which cannot be read: No such file or directory"),
      Case("tls: { ca_file: / }", "5:17: tls.ca_file names the file /, which is a directory"),
      Case("tls: { ca_file: /dev/null }", "5:17: tls.ca_file names the file /dev/null, which is not a regular file"),
      Case(
        "tls: { ca_file: /proc/self/status }",
        "5:17: tls.ca_file names the file /proc/self/status, which holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
      ),
      Case(
        #"tls: { ca_file: "a\nb" }"#,
        #"5:17: tls.ca_file must be the path of a PEM file, not "aU+000Ab"; it must be a single line"#),
      Case("tls: { cafile: x }", #"5:8: tls: unknown setting "cafile"; did you mean "ca_file"?"#),
      Case("timeouts: 10s", "5:11: timeouts must be a mapping of settings, not text"),
      Case("timeouts: []", "5:11: timeouts must be a mapping of settings, not a list"),
      Case("timeouts: { firstByte: 10s }", #"5:13: timeouts: unknown setting "firstByte"; did you mean "first_byte"?"#),
      Case(
        "timeouts: { upstream-idle: 10s }",
        #"5:13: timeouts: unknown setting "upstream-idle"; did you mean "upstream_idle"?"#),
      Case("timeouts: { Head: 10s }", #"5:13: timeouts: unknown setting "Head"; did you mean "head"?"#),
      Case(
        "timeouts: { tls: 10s }",
        #"5:13: timeouts: unknown setting "tls"; known: head, handshake, idle, body, token, connect, first_byte, total, tunnel, tcp_keepalive, upstream_idle, drain, drain_tunnel"#
      ),
      Case("limits: { field: 10 }", #"5:11: limits: unknown setting "field"; did you mean "fields"?"#),
      Case("limits: { conections: 10 }", #"5:11: limits: unknown setting "conections"; did you mean "connections"?"#),
      Case("half_close: serve", #"5:1: unknown setting "half_close"; it belongs in listen"#),
      Case("interim: drop", #"5:1: unknown setting "interim"; it belongs in routes"#),
      Case("first_byte: 10s", #"5:1: unknown setting "first_byte"; it belongs in timeouts or routes.timeouts"#),
      Case(
        "listen: { address: 8080, minimum: 1.0 }",
        #"5:26: listen: unknown setting "minimum"; it belongs in listen.tls or interception"#),
      Case("limist: { queue: 10 }", #"5:1: unknown setting "limist"; did you mean "limits"?"#),
      Case("listens: 8080", #"5:1: unknown setting "listens"; did you mean "listen"?"#),
      Case("route: []", #"5:1: unknown setting "route"; did you mean "routes"?"#),
      Case("timeout: {}", #"5:1: unknown setting "timeout"; did you mean "timeouts"?"#),
      Case(
        "prot: 1",
        #"5:1: unknown setting "prot"; known: listen, admin, control, loops, reload, hardening, log, tls, parent_proxy, timeouts, upstream, limits, interception, token_store, callers, credentials, routes, paths_ignore_case"#
      ),
      Case(
        #""": 1"#,
        #"5:1: unknown setting ""; known: listen, admin, control, loops, reload, hardening, log, tls, parent_proxy, timeouts, upstream, limits, interception, token_store, callers, credentials, routes, paths_ignore_case"#
      ),
      Case(
        #""\e[2J\n": 1"#,
        #"5:1: unknown setting "U+001B[2JU+000A"; known: listen, admin, control, loops, reload, hardening, log, tls, parent_proxy, timeouts, upstream, limits, interception, token_store, callers, credentials, routes, paths_ignore_case"#
      ),
      Case("loops: 1\nloops: 2", #"6:1: "loops" is set twice; the first is in line 5"#),
      Case(
        "loops: 1\n\"loops\": 1\nloops: 3", #"6:1: "loops" is set twice; the first is in line 5"#,
        #"7:1: "loops" is set twice; the first is in line 5"#),
      Case("loops: ${NOWHERE}", "5:8: loops: environment variable NOWHERE is not set"),
      Case(
        "loops: ${}",
        #"5:8: loops: "${...}" must hold the name of an environment variable; write $$ for a "$" that means itself"#),
      Case(
        "loops: ${A B}",
        #"5:8: loops: "${...}" must hold the name of an environment variable; write $$ for a "$" that means itself"#),
      Case(
        "loops: ${1A}",
        #"5:8: loops: "${...}" must hold the name of an environment variable; write $$ for a "$" that means itself"#),
      Case(
        "loops: ${A-b}",
        #"5:8: loops: "${...}" must hold the name of an environment variable; write $$ for a "$" that means itself"#),
      Case(
        "loops: ${:-1}",
        #"5:8: loops: "${...}" must hold the name of an environment variable; write $$ for a "$" that means itself"#),
      Case("loops: ${A", #"5:8: loops: a "${" is not closed; write $$ for a "$" that means itself"#),
      Case("loops: ${A:-${B}}", #"5:8: loops: a default must not contain a "$""#),
      Case("loops: $ID", #"5:8: loops must be a number from 1 to 256, not "$ID""#),
    ])
  func told(example: Case) {
    #expect(problems(faultless + example.text + "\n") == example.expected)
  }

  static let noAddresses: [(String, hint: String)] = [
    ("localhost", "; the port is missing"), ("127.0.0.1", "; the port is missing"),
    ("'[::1]'", "; the port is missing"),
    ("8080x", "; the port is missing"), ("-1", "; the port is missing"),
    ("':8080'", "; for every address of this machine write 0.0.0.0:8080"),
    ("'*:80 80'", "; for every address of this machine write 0.0.0.0:PORT"),
    ("'*:8080'", "; for every address of this machine write 0.0.0.0:8080"),
    ("http://127.0.0.1:8080", "; leave out http://"), ("proxy.internal:8080", "; an IP address, not a name"),
    ("127.1:8080", "; an IPv4 address has four numbers from 0 to 255 without leading zeros"),
    ("127.0.0.256:8080", "; an IPv4 address has four numbers from 0 to 255 without leading zeros"),
    ("'::1:8080'", "; an IPv6 address must be in brackets, such as [::1]"),
    ("'[::1]:99999'", "; a port is a number up to 65535"), ("65536", "; a port is a number up to 65535"),
    ("127.0.0.1:65536", "; a port is a number up to 65535"), ("127.0.0.1:080", "; a port is a number up to 65535"),
    ("'127.0.0.1:'", "; a port is a number up to 65535"), ("127.0.0.1:http", "; a port is a number up to 65535"),
    ("'[::1%eth0]:80'", "; the brackets must hold an IPv6 address such as [::1]"),
    ("'[127.0.0.1]:80'", "; the brackets must hold an IPv6 address such as [::1]"),
    ("''", "; the port is missing"),
  ]

  @Test("that is no address is shown, with a hint", arguments: ["listen", "admin"], noAddresses)
  func address(name: String, value: (text: String, hint: String)) {
    let shown = value.text.filter { $0 != "'" }
    let expected = "an address such as 127.0.0.1:8080" + (name == "admin" ? ", or off" : "")
    #expect(
      problems("\(faultless)\(name): \(value.text)\n")
        == ["5:\(name.count + 3): \(name) must be \(expected), not \"\(shown)\"\(value.hint)"])
  }

  @Test(
    "about listening is told with its place",
    arguments: [
      Case("listen:", "5:8: listen must be an address such as 127.0.0.1:8080, or a list of those, not nothing"),
      Case(
        "listen: []", "5:9: listen must be an address such as 127.0.0.1:8080, or a list of those, not an empty list"),
      Case(
        "listen: { port: 1 }", "5:9: listen.address is missing; it must be an address such as 127.0.0.1:8080",
        #"5:11: listen: unknown setting "port"; known: address, allow, callers, browser_requests, proxy_protocol, half_close, tls, mode, owner, group"#
      ),
      Case("listen: off", #"5:9: listen must be an address such as 127.0.0.1:8080, not "off"; the port is missing"#),
      Case(
        "listen:\n  - 8080\n  -\n  - [1]", "7:4: listen[1] must be an address such as 127.0.0.1:8080, not nothing",
        "8:5: listen[2] must be an address such as 127.0.0.1:8080, not a list"),
      Case(
        "listen: [8080, 127.0.0.1:8080]", "5:16: listen[1] is 127.0.0.1:8080, which is already the address of listen[0]"
      ),
      Case(
        "listen: [8080, 'localhost:8080']",
        "5:16: listen[1] is 127.0.0.1:8080, which is already the address of listen[0]"),
      Case(
        "listen: ['[::1]:80', '[0::0:1]:80']", "5:22: listen[1] is [::1]:80, which is already the address of listen[0]"),
      Case("admin: [9901]", "5:8: admin must be an address such as 127.0.0.1:8080, or off, not a list"),
      Case("admin: 8080", "5:8: admin is 127.0.0.1:8080, which is already the address of listen"),
      Case("listen: 9000\nadmin: 9000", "6:8: admin is 127.0.0.1:9000, which is already the address of listen"),
      Case(
        "listen: [8080, 9901]", "5:9: listen[1] is 127.0.0.1:9901, where admin is unless it is set to another or off"),
    ])
  func listening(example: Case) {
    #expect(problems(faultless + example.text + "\n") == example.expected)
  }

  @Test(
    "no message shows what may be a secret in the wrong place",
    arguments: [
      "admin: http://user:s3cr3t-value@host", "admin: ${OTHER_CLIENT_SECRET}", "loops: ${OTHER_CLIENT_SECRET}",
      "token_store: { directory: http://user:s3cr3t-value@host/ }",
    ])
  func misplacedSecrets(example: String) {
    do {
      let variables = environment.merging(["OTHER_CLIENT_SECRET": "s3cr3t-value"]) { $1 }
      _ = try ConfigurationLoader.parse(
        Array((faultless + example + "\n").utf8), fileName: "x", environment: Environment(variables))
      Issue.record("it was accepted")
    } catch {
      #expect(!"\(error)".contains("s3cr3t-value"), "\(error)")
    }
  }
}
