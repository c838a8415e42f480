import HTTPService
import Locks
import Testing

@testable import Control

@Suite("The control socket responds") struct ControlPagesTests {
  private let calls = Monitor<[String]>([])

  private var actions: ControlActions {
    let calls = calls
    @Sendable func did(_ what: String) { calls.withLock { $0.append(what) } }
    var actions = ControlActions(
      status: { ControlStatus([.init("pid", .number(7), label: "pid")]) },
      health: { patience in
        did("health \(patience)")
        return ControlOutcome(.unwell, "draining")
      },
      drain: {
        did("drain")
        return ControlOutcome(.done, "draining")
      },
      setLogLevel: { level, duration in
        did("level \(level) \(duration.map { "\($0)" } ?? "-")")
        return ControlOutcome(.done, "ok")
      })
    actions.note = { did("note \($0) \($1) \($2.kind)") }
    return actions
  }

  private func ask(_ method: String, _ target: String, _ actions: ControlActions? = nil) async -> (Int, String) {
    let parts = target.split(separator: "?", maxSplits: 1).map(String.init)
    let request = ServiceRequest(method: method, path: parts[0], query: parts.count > 1 ? parts[1] : nil)
    let response = await ControlPages(actions: actions ?? self.actions).answer(request)
    return (response.status, String(decoding: response.body, as: UTF8.self))
  }

  @Test("with the status, for programs and for people")
  func status() async {
    #expect(await ask("GET", "/status") == (200, "{\"pid\":7}\n"))
    #expect(await ask("GET", "/status?text") == (200, "pid  7\n"))
    #expect(calls.withLock { $0 } == [])
  }

  @Test("with the health, waiting as long as it is told to")
  func health() async {
    #expect(await ask("GET", "/healthz") == (503, "draining\n"))
    #expect(await ask("GET", "/healthz?within=250") == (503, "draining\n"))
    for wrong in ["0", "-1", "x", "3600001", ""] { #expect(await ask("GET", "/healthz?within=\(wrong)").0 == 400) }
    #expect(calls.withLock { $0 } == ["health 2.0 seconds", "health 0.25 seconds"])
  }

  @Test("to an upgrade, with the program that it names")
  func upgrade() async {
    var actions = actions
    let calls = calls
    actions.upgrade = { request in
      calls.withLock { $0.append("\(request.binary ?? "-") \(request.patience) \(request.isFromRoot)") }
      return ControlOutcome(.done, "ok")
    }
    #expect(await ask("POST", "/upgrade", actions).0 == 200)
    #expect(await ask("POST", "/upgrade?within=1500&binary=%2Fopt%2Fa%20b%26c", actions).0 == 200)
    for wrong in ["within=0", "within=x", "binary=relative", "binary=%2Fa%00", "binary=%zz", "binary=%2F%FF"] {
      #expect(await ask("POST", "/upgrade?\(wrong)", actions).0 == 400)
    }
    #expect(await ask("GET", "/upgrade", actions).0 == 405)
    #expect(await ask("POST", "/upgrade").0 == 501)
    #expect(
      calls.withLock { $0.filter { !$0.hasPrefix("note") } } == [
        "- 60.0 seconds false", "/opt/a b&c 1.5 seconds false",
      ])
  }

  @Test("to commands, and notes them with what came of them")
  func commands() async {
    #expect(await ask("POST", "/drain") == (200, "draining\n"))
    #expect(await ask("POST", "/log-level?level=debug").0 == 200)
    #expect(await ask("POST", "/log-level?level=debug&for=10m").0 == 200)
    #expect(
      calls.withLock { $0 } == [
        "drain", "note drain  done", "level debug -", "note log-level  done", "level debug 600.0 seconds",
        "note log-level  done",
      ])
  }

  @Test(
    "that it does not understand, without doing anything",
    arguments: ["", "?for=10m", "?level=debug&for=ten", "?level"])
  func misused(query: String) async {
    #expect(await ask("POST", "/log-level\(query)").0 == 400)
    #expect(calls.withLock { $0 } == ["note log-level  misused"])
  }

  @Test("that this program does not support a command")
  func unsupported() async {
    #expect(await ask("POST", "/reload") == (501, "This program cannot reload yet.\n"))
    #expect(await ask("POST", "/reopen-logs").0 == 501)
  }

  @Test("with a status for every kind of result", arguments: ControlOutcome.Kind.allCases)
  func outcomes(kind: ControlOutcome.Kind) async {
    var actions = actions
    actions.reload = { ControlOutcome(kind, "two\nlines") }
    let (status, text) = await ask("POST", "/reload", actions)
    #expect((200...599).contains(status) && ControlOutcome.Kind(rawValue: status) == kind && text == "two\nlines\n")
  }

  @Test(
    "only to the method that a resource is for, and to resources that there are",
    arguments: [
      ("GET", "/drain", 405), ("GET", "/reload", 405), ("HEAD", "/log-level?level=debug", 405),
      ("POST", "/status", 405),
      ("DELETE", "/healthz", 405), ("GET", "/metrics", 404), ("POST", "/stop", 404), ("GET", "/status/", 404),
      ("GET", "/", 200),
    ])
  func others(method: String, target: String, status: Int) async {
    #expect(await ask(method, target).0 == status)
    #expect(calls.withLock { $0 } == [])
  }
}

@Suite("The status") struct ControlStatusTests {
  private let status = ControlStatus([
    .init("a", .text("one \"two\"\n"), label: "first", shown: "1"), .init("hidden", .truth(true)),
    .init("urls", .texts(["x", "y"]), label: "listen on"), .init("n", .number(-3), label: "n"),
    .init("none", .texts([]), label: "none"), .init("on", .truth(false), label: "on"),
  ])

  @Test("is JSON with everything")
  func json() {
    #expect(
      status.json == #"{"a":"one \"two\"\n","hidden":true,"urls":["x","y"],"n":-3,"none":[],"on":false}"#)
  }

  @Test("is a line for each row and each text of a list, for people")
  func text() {
    #expect(
      status.text == """
        first      1
        listen on  x
        listen on  y
        n          -3
        on         no
        """)
  }
}
