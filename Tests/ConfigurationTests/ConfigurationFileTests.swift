import Configuration
import Foundation
import Outbound
import Secrets
import Testing

@Suite("A configuration in a file")
final class ConfigurationFileTests {
  let directory: URL

  init() throws {
    directory = FileManager.default.temporaryDirectory.appendingPathComponent("configuration-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: directory) }

  @discardableResult
  private func file(_ name: String, _ content: String, mode: Int = 0o400) -> String {
    let path = directory.appendingPathComponent(name).path
    #expect(
      FileManager.default.createFile(
        atPath: path, contents: Data(content.utf8), attributes: [.posixPermissions: mode]))
    return path
  }

  private let text = """
    credentials:
      kinde:
        domain: acme.kinde.com
        client_id: id
        client_secret: { file: client_secret }
    routes: [{ name: a, match: a, audience: x }]
    tls: { ca_file: ca.pem }
    """

  @Test("finds the files it names beside it")
  func relative() throws {
    let secret = file("client_secret", "s3cret\n")
    let authorities = file("ca.pem", "# a comment\n-----BEGIN CERTIFICATE-----\n")
    let loaded = try ConfigurationLoader.load(.file(path: file("proxy.conf", text)), environment: [:])
    #expect(loaded.credentials[0].clientSecret == Secret("s3cret"))
    #expect(loaded.credentials[0].clientSecretSource?.description == "file \(secret)")
    #expect(loaded.tls.caFile == authorities)
    #expect(loaded.warnings.isEmpty)
  }

  @Test("drops the byte-order mark of a secret, and warns of it")
  func byteOrderMark() throws {
    file("client_secret", "\u{FEFF}s3cret\n")
    file("ca.pem", "-----BEGIN CERTIFICATE-----\n")
    let path = file("proxy.conf", text)
    let loaded = try ConfigurationLoader.load(.file(path: path), environment: [:])
    #expect(loaded.credentials[0].clientSecret == Secret("s3cret"))
    #expect(
      loaded.warnings.map(\.description) == [
        "\(path):5:28: credentials.kinde.client_secret.file names a file that begins with a byte-order mark; it is not part of the secret, save the file without it"
      ])
  }

  @Test("runs programs that print secrets only where it is told to")
  func programs() throws {
    let path = file(
      "proxy.conf",
      """
      credentials:
        kinde:
          domain: acme.kinde.com
          client_id: id
          client_secret: { exec: [/bin/echo, "$${HOME}", "  a"], refresh: 30s }
      routes: [{ name: a, match: a, audience: x }]
      """)
    let read = try ConfigurationLoader.load(.file(path: path), environment: [:]).credentials[0]
    let run = try ConfigurationLoader.load(.file(path: path), environment: [:], runsPrograms: true).credentials[0]
    #expect(read.clientSecret == Secret(""))
    #expect(run.clientSecret == Secret("${HOME}   a"))
    let program = SecretProgram(path: "/bin/echo", arguments: ["${HOME}", "  a"], refresh: .seconds(30))
    #expect(read.clientSecretSource == .program(program) && run.clientSecretSource == .program(program))
  }

  @Test("tells whether the process is hardened before any program is run, and which variables hold secrets")
  func hardening() throws {
    let path = file(
      "proxy.conf",
      """
      hardening: off
      credentials:
        kinde:
          domain: ${DOMAIN}
          client_id: ${CLIENT_ID}
          client_secret: { exec: [/bin/sh, -c, printf %s secret], environment: KEYCARD }
          client_secret_previous: ${SPARE}
      routes: [{ name: a, match: a, audience: x }]
      """)
    let environment: Environment = [
      "DOMAIN": "acme.kinde.com", "CLIENT_ID": "id", "SPARE": "s3cr3t-value", "VAULT_TOKEN": "x", "PLAIN": "y",
    ]
    var told: [Bool] = []
    let read = try ConfigurationLoader.load(
      .file(path: path), environment: environment, runsPrograms: true, onHardening: { told.append($0) })
    #expect(told == [false] && !read.isHardened)
    #expect(read.secretVariables.isSuperset(of: ["SPARE", "KEYCARD", "VAULT_TOKEN"]))
    #expect(read.secretVariables.isDisjoint(with: ["DOMAIN", "CLIENT_ID", "PLAIN"]))
    guard case .program(let program) = read.credentials[0].clientSecretSource else {
      Issue.record("the source is no program")
      return
    }
    #expect(program.environment == ["KEYCARD"])
    #expect(
      read.warnings.map(\.description) == [
        "\(path):1:12: hardening is off: other processes of the same user can read secrets and tokens from memory, and a core dump holds them"
      ])
    #expect(try configuration(faultless).isHardened)
  }

  @Test("warns when all users can read the secret", arguments: [0o604, 0o404, 0o644])
  func readable(mode: Int) throws {
    file("client_secret", "s3cret\n", mode: mode)
    file("ca.pem", "-----BEGIN CERTIFICATE-----\n")
    let path = file("proxy.conf", text)
    let octal = String(mode, radix: 8)
    #expect(
      try ConfigurationLoader.load(.file(path: path), environment: [:]).warnings.map(\.description) == [
        "\(path):5:28: credentials.kinde.client_secret.file is open to every user of this machine (mode 0\(octal)); chmod 600 \(directory.path)/client_secret fixes that"
      ])
  }

  @Test("warns when others could change the secret", arguments: [0o660, 0o620])
  func writable(mode: Int) throws {
    file("client_secret", "s3cret\n", mode: mode)
    file("ca.pem", "-----BEGIN CERTIFICATE-----\n")
    let path = file("proxy.conf", text)
    let octal = String(mode, radix: 8)
    let secret = "\(directory.path)/client_secret"
    let subject = "\(path):5:28: credentials.kinde.client_secret.file"
    func warnings() throws -> [String] {
      try ConfigurationLoader.load(.file(path: path), environment: [:]).warnings.map(\.description)
    }
    #expect(
      try warnings() == ["\(subject) can be written by its group (mode 0\(octal)); chmod 600 \(secret) fixes that"])
    file("client_secret", "s3cret\n", mode: 0o400)
    try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: directory.path)
    let found = try warnings()
    // The authorities of tls.ca_file are there too.
    let words = "is in the directory \(directory.path), where every user"
    #expect(found.count == 2 && found.contains { $0.hasPrefix("\(subject) \(words)") })
    #expect(found.contains { $0.contains("tls.ca_file names the file") && $0.contains("ca.pem, which \(words)") })
    file("ca.pem", "-----BEGIN CERTIFICATE-----\n", mode: 0o666)
    let error = try #require(throws: ConfigurationError.self) { try warnings() }
    let complaint = "which can be written by every user of this machine (mode 0666); chmod go-w"
    #expect(error.problems.count == 1 && "\(error)".contains(complaint))
  }

  @Test("warns when the secret is another user's", .enabled(if: geteuid() == 0, "only root can give files away"))
  func owner() throws {
    let secret = file("client_secret", "s3cret\n", mode: 0o400)
    file("ca.pem", "-----BEGIN CERTIFICATE-----\n")
    try FileManager.default.setAttributes([.ownerAccountID: 65533], ofItemAtPath: secret)
    let loaded = try ConfigurationLoader.load(.file(path: file("proxy.conf", text)), environment: [:])
    #expect(loaded.warnings.count == 1 && loaded.warnings[0].description.contains("belongs to uid 65533"))
  }

  @Test("has a problem for each of its files that is missing, empty or not a file")
  func missing() throws {
    let path = file("proxy.conf", text)
    file("client_secret", "\n")
    file("ca.pem", "nothing of use")
    let error = #expect(throws: ConfigurationError.self) {
      try ConfigurationLoader.load(.file(path: path), environment: [:])
    }
    #expect(
      error?.problems.map(\.description) == [
        "\(path):5:28: credentials.kinde.client_secret.file: file \(directory.path)/client_secret is empty",
        "\(path):7:17: tls.ca_file names the file \(directory.path)/ca.pem, which holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)",
      ])
  }

  @Test("has a problem if it cannot be read itself")
  func unreadable() throws {
    let large = file("large.conf", String(repeating: "#", count: 1024 * 1024 + 1))
    for (path, complaint) in [
      ("/nowhere/proxy.conf", "cannot be read: No such file or directory"), (directory.path, "is a directory"),
      ("/dev/null", "is not a regular file"), (large, "is larger than 1 MB"),
    ] {
      let error = #expect(throws: ConfigurationError.self) {
        try ConfigurationLoader.load(.file(path: path), environment: [:])
      }
      #expect(error?.description == "\(path): the file \(complaint)\n1 problem, nothing was started.")
    }
  }
}
