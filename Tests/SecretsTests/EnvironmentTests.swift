import Foundation
import SystemPackage
import Testing

@testable import Secrets

@Suite("Environment")
struct EnvironmentTests {
  let environment: Environment = ["CLIENT_SECRET": "s3cret\n", "EMPTY": "", "EQUATION": "a=b", "NAME": "värde"]

  @Test("finds variables by their names")
  func lookup() {
    #expect(environment["NAME"] == "värde")
    #expect(environment["EQUATION"] == "a=b")
    #expect(environment["EMPTY"] == "")
    #expect(environment["NAM"] == nil)
    #expect(environment.secret("CLIENT_SECRET") == Secret("s3cret"))
    #expect(environment.secret("OTHER") == nil)
    #expect(environment.values(of: ["EMPTY", "OTHER"]) == ["EMPTY": ""])
  }

  @Test("takes what the kernel gives: the first of two, nothing without a name, no text that is none")
  func entries() {
    let taken = unsafe withEntries(["A=1", "A=2", "nothing", "=x", "B=\u{1}"]) { unsafe Environment(entries: $0) }
    #expect(taken.names.sorted() == ["A", "B"])
    #expect(taken["A"] == "1")
    #expect(unsafe Environment(entries: nil).names.isEmpty)
  }

  @Test("is wiped where the C library has it: the value of that variable, and nothing else")
  func wiped() {
    let left = unsafe withEntries(["SECRET=s3cret", "SECRETS=x", "A_SECRET=y", "SECRET=again", "SECRET"]) { entries in
      unsafe EnvironmentCustody.wipe("SECRET", in: entries)
      return (0..<5).map { index in unsafe String(cString: entries[index]!) }
    }
    #expect(left == ["SECRET=", "SECRETS=x", "A_SECRET=y", "SECRET=", "SECRET"])
  }

  @Test("is not hidden as far as libraries and service managers read it")
  func policy() {
    for name in [
      "SSL_CERT_FILE", "TZ", "LC_ALL", "PATH", "NOTIFY_SOCKET", "LISTEN_FDS", "OPENSSL_CONF", "http_proxy",
      "LD_LIBRARY_PATH",
    ] {
      #expect(EnvironmentPolicy.isNeededByLibraries(name))
    }
    for name in ["CLIENT_SECRET", "VAULT_TOKEN", "PATHS", "OPENSSL_PASSWORD"] {
      #expect(!EnvironmentPolicy.isNeededByLibraries(name))
    }
    #expect(EnvironmentPolicy.isOfPrograms("LC_CTYPE") && !EnvironmentPolicy.isOfPrograms("NOTIFY_SOCKET"))
  }

  @Test("goes to programs as far as the reference says")
  func documented() throws {
    let page = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/configuration.md")
    let text = try String(contentsOf: page, encoding: .utf8)
    let part = try #require(
      text.components(separatedBy: "**Variables of programs**").last?.components(separatedBy: "\nand those").first)
    let named = part.matches(of: #/`([A-Za-z_]+…?)`/#).map { String($0.1) }
    #expect(
      Set(named) == Set(EnvironmentPolicy.ofPrograms).union(EnvironmentPolicy.prefixesOfPrograms.map { "\($0)…" }))
  }

  private func withEntries<R>(
    _ words: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> R
  ) -> R {
    var entries = unsafe words.map { word in unsafe strdup(word) } + [nil]
    defer { for index in unsafe entries.indices { unsafe free(entries[index]) } }
    return unsafe entries.withUnsafeMutableBufferPointer { unsafe body($0.baseAddress!) }
  }

  @Test("shows no value, however it is printed")
  func redacted() {
    var dumped = ""
    dump(environment, to: &dumped)
    #expect(!"\(environment) \(String(reflecting: environment)) \(dumped)".contains("s3cret"))
  }
}

@Suite("The environment that a process hands over to the next one")
struct EnvironmentHandOverTests {
  @Test("arrives whole, also where it is large", arguments: [0, 1, 300_000])
  func arrives(size: Int) throws {
    let value = String(repeating: "x", count: size)
    let descriptor = try EnvironmentCustody.handOver(["CLIENT_SECRET": value, "OTHER": "y"])
    let environment = try EnvironmentCustody.receive(from: descriptor)
    #expect(environment["CLIENT_SECRET"] == value)
    #expect(environment["OTHER"] == "y")
    #expect(environment.names.count == 2)
  }

  @Test("is passed by a copy of the descriptor, as often as it is read")
  func copies() throws {
    let descriptor = try EnvironmentCustody.handOver(["A": "b"])
    defer { try? descriptor.close() }
    for _ in 0..<2 { #expect(try EnvironmentCustody.receive(from: descriptor.duplicate())["A"] == "b") }
  }

  @Test("cannot be changed on its way")
  func sealed() throws {
    let descriptor = try EnvironmentCustody.handOver(["A": "b"])
    defer { try? descriptor.close() }
    #expect(throws: Errno.notPermitted) { try descriptor.writeAll("X".utf8) }
    #expect(ftruncate(descriptor.rawValue, 0) == -1)
    #expect(fcntl(descriptor.rawValue, F_GETFD) & FD_CLOEXEC != 0)
  }

  @Test("is taken from nothing else, which stays open")
  func strangers() throws {
    let pipe = try FileDescriptor.pipe()
    defer {
      try? pipe.readEnd.close()
      try? pipe.writeEnd.close()
    }
    let complaint = "M2M_PROXY_ENVIRONMENT_FD is not a descriptor that m2m-proxy has passed"
    for descriptor in [pipe.readEnd, FileDescriptor(rawValue: 1_000_000)] {
      do {
        _ = try EnvironmentCustody.receive(from: descriptor)
        Issue.record("it was accepted")
      } catch { #expect("\(error)" == complaint) }
    }
    #expect(fcntl(pipe.readEnd.rawValue, F_GETFD) >= 0)
  }

  @Test("is refused where it is too large, or no environment")
  func refused() throws {
    let large = Environment(block: Secret(count: EnvironmentCustody.sizeLimit + 1) { _ in })
    for (environment, complaint) in [
      (large, "leads to more than 8 MB"),
      (Environment(block: Secret("A=b")), "leads to something else than an environment"),
    ] {
      let descriptor = try EnvironmentCustody.handOver(environment)
      do {
        _ = try EnvironmentCustody.receive(from: descriptor)
        Issue.record("it was accepted")
      } catch { #expect("\(error)" == "M2M_PROXY_ENVIRONMENT_FD \(complaint)") }
    }
  }
}
