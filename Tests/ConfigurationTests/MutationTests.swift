import Configuration
import Foundation
import Secrets
import SeededRandom
import Testing

@Suite("A damaged proxy.conf.example")
struct MutationTests {
  static let environment: Environment = [
    "KINDE_CLIENT_ID": "8a1b", "LEGACY_CLIENT_SECRET": "s3cr3t légacy", "KINDE": "s3cr3t kindé",
  ]
  static let snippets = [
    "\n", " ", "  ", "\t", "\r\n", ":", ": ", "- ", "#", " #", "'", "\"", "[", "]", "{", "}", "&a ", "*a", "!a ",
    "<<: ",
    "? ", "|", ">", "---\n", "...\n", "%YAML 1.1\n", "${", "${KINDE_CLIENT_ID}", "$$", "\\", "\\0", "@", "`", ",", "~",
    "\0",
    "\u{7F}",
    "\u{FEFF}", "\u{2028}", "ä", "😀", "9999999999999999999999", "-1", "[[[[[[[[[[[[[[[[[[[[", "{a: {b: {c: ",
  ].map { Array($0.utf8) }

  /// Calls `body` with the example, the one secret that is looked for afterwards in the environment.
  private func withExample(_ body: ([UInt8]) async throws -> Void) async throws {
    try await withExampleFiles(ProxyConfExampleTests.text("proxy.conf.example")) { text in
      try await body(Array(text.replacing(#/{ file: [^ ]*kinde_client_secret }/#, with: "${KINDE}").utf8))
    }
  }

  /// Whether `bytes` were loaded; if not, there is a problem, at a place that exists, that shows no secret.
  private func check(_ bytes: [UInt8]) -> Bool {
    do {
      _ = try ConfigurationLoader.parse(bytes, fileName: "proxy.conf", environment: Self.environment)
      return true
    } catch {
      let lines = bytes.count { $0 == UInt8(ascii: "\n") } + 1
      let isTold =
        !error.problems.isEmpty
        && error.problems.allSatisfy { (0...lines).contains($0.line) && ($0.line == 0) == ($0.column == 0) }
      #expect(isTold, "\(error)\n\(String(decoding: bytes, as: UTF8.self))")
      #expect(!error.description.contains("s3cr3t"), "\(error)\n\(String(decoding: bytes, as: UTF8.self))")
      return false
    }
  }

  @Test("loads undamaged")
  func undamaged() async throws {
    try await withExample { #expect(check($0)) }
  }

  @Test("loads or has a problem, wherever it is cut off")
  func truncated() async throws {
    try await withExample { bytes in
      var loaded: [Int] = []
      for end in stride(from: 0, to: bytes.count, by: 23) {
        if check(Array(bytes[..<end])) { loaded.append(end) }
        // Other tests wait for programs and sockets meanwhile, and need a turn.
        await Task.yield()
      }
      // Without the routes there is nothing to load; near the end little is missing.
      #expect((loaded.first ?? 0) > bytes.count / 2)
      #expect(!loaded.isEmpty)
    }
  }

  @Test("loads or has a problem, whatever is changed in it", arguments: 1...8)
  func mutated(seed: UInt64) async throws {
    var generator = SplitMix(state: seed)
    var loaded = 0
    try await withExample { original in
      for _ in 0..<100 {
        var bytes = original
        for _ in 0..<Int.random(in: 1...4, using: &generator) { mutate(&bytes, &generator) }
        if check(bytes) { loaded += 1 }
        await Task.yield()
      }
    }
    // A mutation that always or never hurts would test nothing.
    #expect((5...95).contains(loaded))
  }

  private func mutate(_ bytes: inout [UInt8], _ generator: inout SplitMix) {
    guard !bytes.isEmpty else { return }
    let index = Int.random(in: 0..<bytes.count, using: &generator)
    let run = index..<min(bytes.count, index + Int.random(in: 1...40, using: &generator))
    switch Int.random(in: 0..<6, using: &generator) {
    case 0: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
    case 1: bytes[index] = UInt8.random(in: 0...255, using: &generator)
    case 2: bytes.removeSubrange(run)
    case 3: bytes.insert(contentsOf: Array(bytes[run]), at: Int.random(in: 0...bytes.count, using: &generator))
    case 4: bytes.removeSubrange(index...)
    default: bytes.insert(contentsOf: Self.snippets.randomElement(using: &generator) ?? [], at: index)
    }
  }
}
