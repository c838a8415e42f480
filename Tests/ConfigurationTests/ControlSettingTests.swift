import Configuration
import Foundation
import Secrets
import Testing

@Suite("Where the running proxy takes commands") struct ControlSettingTests {
  private func control(_ text: String) throws -> ControlSetting {
    try configuration("control: \(text)\nroutes: [{ name: a, match: a, credentials: none }]").control
  }

  @Test("is a path, which counts from proxy.conf's directory, or off, or found without a setting")
  func values() throws {
    #expect(try control("/run/a/control.sock") == .path("/run/a/control.sock"))
    #expect(try control("control.sock") == .path("control.sock"))
    #expect(try control("off") == .off)
    #expect(try control("'off'") == .off)
    #expect(try configuration("routes: [{ name: a, match: a, credentials: none }]").control == .automatic)
    let bytes = Array("control: c.sock\nroutes: [{ name: a, match: a, credentials: none }]".utf8)
    let elsewhere = try ConfigurationLoader.parse(bytes, fileName: "/etc/m2m/proxy.conf", environment: [:])
    #expect(elsewhere.control == .path("/etc/m2m/c.sock"))
  }

  @Test("is nothing else", arguments: ["unix:/a", "'@name'", "/run/", "''"])
  func refusals(text: String) throws {
    let found = problems("\(faultless)control: \(text)\n")
    #expect(found.count == 1 && found[0].hasPrefix("5:10: control must be the path of a Unix socket"), "\(found)")
  }

  @Test("has no room for more than 107 bytes")
  func long() {
    let found = problems("\(faultless)control: /\(String(repeating: "x", count: 107))\n")
    #expect(found.count == 1 && found[0].contains("is a path of 108 bytes"), "\(found)")
  }

  @Test(
    "is found in a file that is wrong elsewhere",
    arguments: [
      ("routes: 7\ncontrol: /run/x.sock\n", ControlSetting.path("/run/x.sock")),
      ("client_secret: ${NOWHERE}\ncontrol: off\nnonsense: [1, 2]\n", .off),
      ("nonsense: 1\n", .automatic), ("control: [1]\n", .automatic), ("control: ${NOWHERE}\n", .automatic),
      ("control: \"${PLACE}/c.sock\"\n", .path("/run/c.sock")), ("routes: [a\ncontrol: off\n", nil), ("", nil),
    ] as [(String, ControlSetting?)])
  func alone(text: String, expected: ControlSetting?) throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "control-\(UUID().uuidString).conf")
    defer { try? FileManager.default.removeItem(at: file) }
    try Data(text.utf8).write(to: file)
    #expect(ConfigurationLoader.control(path: file.path, environment: ["PLACE": "/run"]) == expected)
  }

  @Test("is not known where there is no file")
  func missing() {
    #expect(ConfigurationLoader.control(path: "/nowhere/proxy.conf", environment: [:]) == nil)
  }
}
