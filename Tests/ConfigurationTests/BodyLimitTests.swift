import Configuration
import Secrets
import Testing

@Suite("The limit of a body") struct BodyLimitTests {
  private func bodies(_ general: String, _ own: String) throws -> [Int?] {
    let text = """
      limits: { body: \(general) }
      routes:
        - { name: a, match: a, credentials: none, body: \(own) }
        - { name: b, match: b, credentials: none }
      """
    let configuration = try ConfigurationLoader.parse(Array(text.utf8), fileName: "proxy.conf", environment: [:])
    return configuration.routes.map(\.body)
  }

  @Test("is that of the route, or else that of the proxy; off is none")
  func values() throws {
    #expect(try bodies("off", "10MB") == [10 << 20, nil])
    #expect(try bodies("2GB", "off") == [nil, 2 << 30])
    #expect(try bodies("512", "0") == [0, 512])
    #expect(try bodies("1024GB", "1KB") == [1024, 1 << 40])
  }

  @Test("has a problem that lists the valid values", arguments: ["-1", "1025GB", "10mb", "10", "9999999999GB"])
  func wrong(value: String) {
    let expected = "limits.body must be off, or a size up to 1024GB, such as 512KB, 10MB or 2GB, not"
    let found = problems("limits: { body: \(value) }\nroutes: [{ name: a, match: a, credentials: none }]")
    #expect(found.contains { $0.contains(expected) } == (value != "10"))
  }
}
