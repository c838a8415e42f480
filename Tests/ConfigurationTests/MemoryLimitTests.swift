import Configuration
import Testing

@Suite("How much memory there may be") struct MemoryLimitTests {
  private func limit(_ text: String) throws -> MemoryLimit {
    try configuration("limits: { memory: \(text) }\nroutes: [{ name: a, match: a, credentials: none }]").limits.memory
  }

  @Test("is a size, or off, or what the control group allows for")
  func values() throws {
    #expect(try limit("16MB") == .bytes(16 << 20))
    #expect(try limit("256MB") == .bytes(256 << 20))
    #expect(try limit("1024GB") == .bytes(1 << 40))
    #expect(try limit("off") == .off)
    #expect(
      try configuration("routes: [{ name: a, match: a, credentials: none }]").limits.memory == .automatic)
  }

  @Test(
    "is nothing else: what is too small is told the least",
    arguments: ["15MB", "0", "1KB", "1025GB", "75%", "auto", "-1", "64 MB"])
  func refusals(text: String) {
    #expect(
      problems("\(faultless)limits:\n  memory: \(text)\n") == [
        "6:11: limits.memory must be off, or a size from 16MB to 1024GB, such as 64MB or 1GB, not \"\(text)\""
      ])
  }
}
