import Foundation
import Glibc

/// A TLS server that sends back every line reversed: `openssl s_server`, with certificates of an authority of its own.
final class TLSServer {
  let port: UInt16
  /// The authority that signed the server's certificate.
  var authority: String { directory.appending(path: "ca.pem").path }
  private let directory: URL
  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()
  private var said = ""

  struct Failure: Error {
    let output: String
  }

  /// A server whose certificate is for `names`, such as `IP:127.0.0.1`.
  init(names: String, options: [String] = []) throws {
    directory = FileManager.default.temporaryDirectory.appending(path: "m2m-tls-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    try Data("subjectAltName=\(names)\n".utf8).write(to: directory.appending(path: "names"))
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    try Self.openssl(
      ["req", "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=Test authority"] + key,
      in: directory)
    try Self.openssl(["req", "-keyout", "key.pem", "-out", "request", "-subj", "/CN=server"] + key, in: directory)
    try Self.openssl(
      [
        "x509", "-req", "-in", "request", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
        "-extfile", "names", "-out", "cert.pem",
      ], in: directory)

    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments =
      ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", "cert.pem", "-key", "key.pem", "-rev"] + options
    process.currentDirectoryURL = directory
    process.standardInput = input
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let wanted = #/ACCEPT [^\n]*:(\d+)\n/#
    while true {
      if let match = said.firstMatch(of: wanted), let port = UInt16(match.output.1) {
        self.port = port
        return
      }
      let more = output.fileHandleForReading.availableData
      guard !more.isEmpty else { throw Failure(output: said) }
      said += String(decoding: more, as: UTF8.self)
    }
  }

  /// Waits until the server has read all of a client's handshake.
  func waitForHandshake() throws {
    while !said.contains("CONNECTION ESTABLISHED") {
      let more = output.fileHandleForReading.availableData
      guard !more.isEmpty else { throw Failure(output: said) }
      said += String(decoding: more, as: UTF8.self)
    }
  }

  /// Ends the process, and its connections without close_notify.
  func end() {
    // Tests run on threads that block signals, and children inherit that: SIGTERM would not arrive.
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  deinit {
    end()
    // Files left in the temporary directory do no harm.
    try? FileManager.default.removeItem(at: directory)
  }

  private static func openssl(_ arguments: [String], in directory: URL) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["openssl"] + arguments
    process.currentDirectoryURL = directory
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw Failure(output: arguments.joined(separator: " ")) }
  }
}
