import Foundation
import SystemPackage
import Testing

@testable import Secrets

@Suite("SecretSource")
final class SecretSourceTests {
  let directory: URL

  init() throws {
    directory = FileManager.default.temporaryDirectory.appendingPathComponent("secrets-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: directory) }

  private func file(_ content: Data, mode: Int = 0o400) -> String {
    let path = directory.appendingPathComponent(UUID().uuidString).path
    #expect(FileManager.default.createFile(atPath: path, contents: content, attributes: [.posixPermissions: mode]))
    return path
  }

  private func error(_ source: SecretSource, environment: Environment = [:]) -> SecretError? {
    do {
      _ = try source.read(environment: environment)
      return nil
    } catch {
      return error
    }
  }

  @Test("reads a file and drops the line end that an editor left")
  func reads() throws {
    #expect(try SecretSource.file(path: file(Data("s3cret\r\n".utf8))).read(environment: [:]) == Secret("s3cret"))
    #expect(try SecretSource.file(path: file(Data("s3 cr€t".utf8))).read(environment: [:]) == Secret("s3 cr€t"))
  }

  @Test("drops a byte-order mark at the beginning of a file, and says that it is there")
  func byteOrderMark() throws {
    let marked = SecretSource.file(path: file(Data([0xEF, 0xBB, 0xBF] + "s3cret\n".utf8)))
    #expect(try marked.read(environment: [:]) == Secret("s3cret"))
    #expect(marked.hasByteOrderMark)
    for content in ["s3cret", "", "\u{FEFF}"] {
      let source = SecretSource.file(path: file(Data(content.utf8)))
      #expect(source.hasByteOrderMark == (content == "\u{FEFF}"))
    }
    #expect(error(.file(path: file(Data([0xEF, 0xBB, 0xBF]))))?.reason == .empty)
    #expect(
      try SecretSource.file(path: file(Data("s3\u{FEFF}cret".utf8))).read(environment: [:]) == Secret("s3\u{FEFF}cret"))
  }

  @Test("reads an environment variable from the environment it is given")
  func environment() throws {
    let source = SecretSource.environment(name: "KINDE")
    #expect(try source.read(environment: ["KINDE": "s3cret\n"]) == Secret("s3cret"))
    #expect(error(source)?.description == "environment variable KINDE is not set")
    #expect(error(source, environment: ["KINDE": ""])?.description == "environment variable KINDE is empty")
  }

  @Test("takes up to 64 KB")
  func limit() throws {
    let most = file(Data(repeating: 120, count: 65536))
    #expect(try SecretSource.file(path: most).read(environment: [:]).count == 65536)
    let tooLarge = file(Data(repeating: 120, count: 65537))
    #expect(
      error(.file(path: tooLarge))?.description == "file \(tooLarge) holds more than 64 KB, which is no secret")
    #expect(error(.file(path: "/dev/zero"))?.reason == .notRegular)
    #expect(error(.inline(Secret(String(repeating: "x", count: 65537))))?.reason == .tooLarge)
  }

  @Test("says why a file cannot be read")
  func failures() throws {
    #expect(
      error(.file(path: "/nowhere/x"))?.description == "file /nowhere/x cannot be read: No such file or directory")
    #expect(
      error(.file(path: directory.path))?.description == "file \(directory.path) is a directory; name the file in it")
    let loop = directory.appendingPathComponent("loop").path
    try FileManager.default.createSymbolicLink(atPath: loop, withDestinationPath: loop)
    #expect(error(.file(path: loop))?.description == "file \(loop) cannot be read: Too many levels of symbolic links")
    #expect(error(.file(path: ""))?.description == "file  cannot be read: No such file or directory")
  }

  @Test("does not wait for a writer of a pipe")
  func pipe() {
    let path = directory.appendingPathComponent("pipe").path
    #expect(unsafe mkfifo(path, 0o600) == 0)
    #expect(error(.file(path: path))?.description == "file \(path) is not a regular file")
  }

  @Test("names the uid when it is permission that is missing")
  func permission() {
    // Not with a real file: the suite may run as root, who may read everything.
    let failure = SensitiveFile.Failure(.permissionDenied)
    #expect(SecretError.Reason(failure, uid: 1000) == .unreadable("Permission denied (running as uid 1000)"))
    #expect(SecretError.Reason(.init(.ioError), uid: 1000) == .unreadable("Input/output error"))
  }

  @Test(
    "refuses what cannot be a secret, without showing it",
    arguments: [
      ("", "is empty"), ("\n\r\n", "is empty"),
      ("one\ntwo", "holds more than one line; a secret is a single one"),
      ("one\0two", "holds the control byte 0, which cannot be part of a secret"),
      ("one\ttwo", "holds the control byte 9, which cannot be part of a secret"),
      ("one\u{7F}", "holds the control byte 127, which cannot be part of a secret"),
    ])
  func refuses(content: String, complaint: String) {
    let path = file(Data(content.utf8))
    #expect(error(.file(path: path))?.description == "file \(path) \(complaint)")
    // There is no zero byte in an environment.
    if !content.utf8.contains(0) {
      #expect(
        error(.environment(name: "X"), environment: ["X": content])?.description
          == "environment variable X \(complaint)")
    }
    if !content.isEmpty, !content.hasPrefix("\n") {
      #expect(error(.inline(Secret(content)))?.description == "written in proxy.conf \(complaint)")
    }
  }

  @Test("describes itself in words")
  func describes() {
    let path = file(Data("x".utf8), mode: 0o640)
    #expect("\(SecretSource.file(path: path))" == "file \(path)")
    #expect("\(SecretSource.environment(name: "X"))" == "environment variable X")
    #expect("\(SecretSource.inline(Secret("x")))" == "written in proxy.conf")
  }
}
