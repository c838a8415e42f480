import Configuration
import Testing

@Suite("log") struct LogSettingsTests {
  private func log(_ settings: String) throws -> LogSettings {
    try configuration(faultless + "log: { \(settings) }").log
  }

  @Test(
    "says which requests get a line",
    arguments: [
      ("on", AccessLogging.on), ("off", .off), ("true", .on), ("errors", .errors),
      ("slow:500ms", .slow(.milliseconds(500))),
      ("slow:2m", .slow(.seconds(120))), ("sample:1%", .sample(millionths: 10_000)),
      ("sample:0.05%", .sample(millionths: 500)), ("sample:12.5%", .sample(millionths: 125_000)),
      ("sample:0.0001%", .sample(millionths: 1)), ("sample:99.9999%", .sample(millionths: 999_999)),
    ])
  func access(written: String, expected: AccessLogging) throws {
    #expect(try log("access: \(written)").access == expected)
  }

  @Test("a route has what the section says, unless it says otherwise; blind tunnels too")
  func routes() throws {
    let routes = try configuration(
      """
      log: { access: errors }
      routes:
        - { name: a, match: a, credentials: none }
        - { name: b, match: b, credentials: none, access_log: on }
        - { name: c, match: c, tunnel: blind }
        - { name: d, match: d, tunnel: blind, access_log: slow:1s }
      """
    ).routes
    #expect(routes.map(\.access) == [.errors, .on, .errors, .slow(.seconds(1))])
  }

  @Test("goes to standard output, a file, or syslog")
  func outputs() throws {
    #expect(try log("level: info").file == nil)
    #expect(try log("level: info").syslog == nil)
    #expect(try log("file: /m.log").file == "/m.log")
    #expect(try log("file: /m.log, syslog: off").file == "/m.log")
    var expected = SyslogSettings()
    #expect(expected.facility.number == 3 && expected.socket == "/dev/log" && expected.tag == "m2m-proxy")
    #expect(try log("syslog: on").syslog == expected)
    expected.facility = .local7
    expected.tag = "proxy"
    expected.socket = "/run/log"
    #expect(try log("syslog: { facility: local7, tag: proxy, socket: /run/log }").syslog == expected)
    #expect(expected.facility.number == 23)
  }

  @Test("warns of a file that cannot be opened on this machine")
  func warning() throws {
    #expect(
      try warnings(faultless + "log: { file: /nowhere/m.log }") == [
        "5:14: log.file names /nowhere/m.log, which is in a directory that does not exist"
      ])
    #expect(
      try warnings(faultless + "log: { file: /dev/null }") == [
        "5:14: log.file names /dev/null, which is not a regular file"
      ])
  }
}
