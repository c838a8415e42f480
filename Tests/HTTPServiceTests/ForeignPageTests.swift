import Testing

/// What a service answers to requests that a browser sends for pages of other sites.
@Suite("A service that rejects foreign pages")
struct ForeignPageTests {
  private func status(
    _ request: String, host: String = "127.0.0.1", refusesForeignPages: Bool = true
  ) throws -> String {
    let service = try RunningService(host: host, refusesForeignPages: refusesForeignPages, handler: echo)
    let client = try TestClient(port: service.port)
    client.send(request)
    return String(try client.read(upTo: "\r\n").dropFirst("HTTP/1.1 ".count).prefix(3))
  }

  private func get(_ target: String = "/metrics", host: String = "localhost", _ fields: String...) -> String {
    "GET \(target) HTTP/1.1\r\nHost: \(host)\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
  }

  @Test(
    "on loopback answers to this machine's names",
    arguments: [
      "localhost", "LOCALHOST.:9901", "a.localhost", "127.0.0.1", "127.0.0.1:9901", "127.9.9.9", "[::1]:9901",
      "[::ffff:127.0.0.1]",
    ])
  func ownHost(host: String) throws {
    #expect(try status(get(host: host)) == "200")
    #expect(try status(get("http://\(host)/metrics", host: host)) == "200")
  }

  @Test(
    "on loopback rejects every other name: DNS can make it lead here",
    arguments: [
      "evil.example", "evil.example:9901", "localhost.evil.example", "notlocalhost", "0.0.0.0", "10.0.0.1", "[::]",
      "128.0.0.1", "m2m-proxy",
    ])
  func foreignHost(host: String) throws {
    #expect(try status(get(host: host)) == "403")
    #expect(try status(get("http://\(host)/metrics", host: host)) == "403")
    // Neither of the two places for a host makes up for the other.
    #expect(try status(get("http://\(host)/metrics", host: "localhost")) == "403")
    #expect(try status(get("http://localhost/metrics", host: host)) == "403")
  }

  @Test("has no second Host that could speak for the first")
  func severalHosts() throws {
    #expect(try status(get("/metrics", host: "localhost", "Host: evil.example")) == "400")
    #expect(try status(get("/metrics", host: "evil.example", "Host: localhost")) == "400")
    #expect(try status(get("/metrics", host: "localhost, evil.example")) == "400")
  }

  @Test(
    "rejects what the browser marks as the request of another site, wherever it listens",
    arguments: ["127.0.0.1", "0.0.0.0"],
    [
      "Sec-Fetch-Site: cross-site", "sec-fetch-site: same-site", "Sec-Fetch-Site: Same-Origin", "Sec-Fetch-Site:",
      "Origin: http://evil.example", "Origin: null", "Origin: https://localhost", "Origin: http://localhost:81",
      "Origin: http://localhost.evil.example", "Origin: http://evil.example/localhost", "origin: http://",
    ])
  func foreignPage(host: String, field: String) throws {
    #expect(try status(get("/metrics", host: "localhost", field), host: host) == "403")
    #expect(try status(get("/metrics", host: "localhost", "Sec-Fetch-Site: same-origin", field), host: host) == "403")
  }

  @Test(
    "answers a page of its own, and a person who typed the address",
    arguments: [
      ["Sec-Fetch-Site: none"], ["Sec-Fetch-Site: same-origin"],
      ["Sec-Fetch-Site: same-origin", "Origin: http://LocalHost:9901"], ["Accept: text/event-stream"],
    ])
  func ownPage(fields: [String]) throws {
    let request = "GET / HTTP/1.1\r\nHost: localhost:9901\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
    #expect(try status(request) == "200")
  }

  @Test("on all addresses serves this machine's names on loopback: the connection's own address counts")
  func allAddresses() throws {
    #expect(try status(get(host: "localhost:9901"), host: "0.0.0.0") == "200")
    #expect(try status(get(host: "10.1.2.3:9901"), host: "0.0.0.0") == "403")
    #expect(try status(get(host: "evil.example"), host: "0.0.0.0") == "403")
    #expect(try status(get(host: "evil.example"), host: "0.0.0.0", refusesForeignPages: false) == "200")
  }

  @Test("serves HTTP/1.0 without Host: no browser sends that")
  func withoutHost() throws {
    #expect(try status("GET /metrics HTTP/1.0\r\n\r\n") == "200")
  }

  @Test("says how to fix the request")
  func message() throws {
    let service = try RunningService(refusesForeignPages: true, handler: echo)
    let client = try TestClient(port: service.port)
    client.send(get(host: "evil.example"))
    let answer = try client.readToEnd()
    #expect(answer.contains("Connection: close\r\n"))
    #expect(answer.contains("was called evil.example") && answer.contains("Call it 127.0.0.1, [::1] or localhost."))
  }

  @Test("is optional: the sandbox serves any name")
  func withoutTheRule() throws {
    let request = get("/metrics", host: "evil.example", "Sec-Fetch-Site: cross-site", "Origin: null")
    #expect(try status(request, refusesForeignPages: false) == "200")
  }
}
