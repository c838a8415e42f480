import Foundation
import Testing

@testable import Control

@Suite("Where commands find the process") struct ControlPlaceTests {
  private let directory: URL

  init() throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "place-\(UUID().uuidString.prefix(8))")
    directory = path.resolvingSymlinksInPath()
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  }

  private func places(_ environment: [String: String], _ file: String = "/etc/m2m-proxy/proxy.conf") throws -> [String]
  {
    try ControlPlace.usual(configuration: file, environment: environment, user: 1000).map(\.description)
  }

  @Test("is the directory of systemd, that of packages, that of the session, and then no file at all")
  func order() throws {
    let mark = try ControlPlace.mark(of: "/etc/m2m-proxy/proxy.conf")
    #expect(mark.wholeMatch(of: #/[0-9a-f]{8}/#) != nil)
    #expect(
      try places(["RUNTIME_DIRECTORY": "/run/other", "XDG_RUNTIME_DIR": "/run/user/1000"]) == [
        "unix:/run/other/control-\(mark).sock", "unix:/run/m2m-proxy/control-\(mark).sock",
        "unix:/run/user/1000/control-\(mark).sock", "unix:@m2m-proxy-1000-\(mark)",
      ])
    #expect(try places([:]) == ["unix:/run/m2m-proxy/control-\(mark).sock", "unix:@m2m-proxy-1000-\(mark)"])
  }

  @Test("is one of several directories of systemd, and none that is not absolute, nor one twice")
  func directories() throws {
    #expect(try places(["RUNTIME_DIRECTORY": "/run/a:/run/b"])[0].hasPrefix("unix:/run/a/control-"))
    #expect(try places(["RUNTIME_DIRECTORY": "/run/m2m-proxy", "XDG_RUNTIME_DIR": "here"]).count == 2)
    #expect(try places(["RUNTIME_DIRECTORY": ""]).count == 2)
  }

  @Test("differs by the configuration file, whose directory may have several names")
  func identity() throws {
    let link = directory.path + "-link"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: directory.path)
    let mark = try ControlPlace.mark(of: "\(directory.path)/proxy.conf")
    #expect(try ControlPlace.mark(of: "\(link)/proxy.conf") == mark)
    #expect(try ControlPlace.mark(of: "\(directory.path)/../\(directory.lastPathComponent)/proxy.conf") == mark)
    #expect(try ControlPlace.mark(of: "\(directory.path)/other.conf") != mark)
    #expect(try ControlPlace.mark(of: "-") != ControlPlace.mark(of: "./-"))
    #expect(ControlPlace.absolutePath(of: "/proxy.conf") == "/proxy.conf")
    #expect(ControlPlace.absolutePath(of: "proxy.conf") == FileManager.default.currentDirectoryPath + "/proxy.conf")
  }

  @Test("stays the same when the file, or the directory that the file is a link into, is replaced")
  func replaced() throws {
    let manager = FileManager.default
    for name in ["1", "2"] {
      try manager.createDirectory(at: directory.appending(path: name), withIntermediateDirectories: true)
      try Data().write(to: directory.appending(path: "\(name)/proxy.conf"))
    }
    let (file, data) = (directory.path + "/proxy.conf", directory.path + "/..data")
    try manager.createSymbolicLink(atPath: data, withDestinationPath: "1")
    try manager.createSymbolicLink(atPath: file, withDestinationPath: "..data/proxy.conf")
    let before = try ControlPlace.mark(of: file)
    try manager.removeItem(atPath: data)
    try manager.createSymbolicLink(atPath: data, withDestinationPath: "2")
    #expect(try ControlPlace.mark(of: file) == before)
  }

  @Test("is written as the proxy shows it, or shorter")
  func texts() {
    for text in ["unix:/a/b", "/a/b"] { #expect(ControlPlace(text) == .file("/a/b")) }
    for text in ["unix:@a", "@a"] { #expect(ControlPlace(text) == .abstract("a")) }
    #expect(ControlPlace("here.sock").description == "unix:here.sock")
  }

  @Test(
    "lasts from 1s to 24h, where a command says how long",
    arguments: [
      ("1s", 1), ("90s", 90), ("10m", 600), ("24h", 86_400), ("0s", nil), ("25h", nil), ("10", nil), ("m", nil),
      ("", nil), ("1d", nil), ("-1s", nil), ("1.5h", nil), ("9999999h", nil), ("99999999999999999999s", nil),
      ("١s", nil),
    ] as [(String, Int?)])
  func durations(text: String, seconds: Int?) {
    #expect(ControlDuration.read(text) == seconds.map { .seconds($0) })
  }
}
