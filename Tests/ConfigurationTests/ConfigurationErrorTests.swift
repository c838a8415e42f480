import Configuration
import Testing

@Suite("ConfigurationError")
struct ConfigurationErrorTests {
  @Test("prints all problems in the order of the file, and how many there are")
  func prints() {
    let text = """
      listen: 127.0.0.1:8080
      credentials:
        kinde:
          domain: acme.kinde.com
          client_id: ${ID}
          client_secret: ${SECRET}
      routes:
        - name: orders
          match: orders.internal
          audiance: https://orders.example.com
          credentials: kinde
          audience: https://orders.example.com
        - name: reports
          match: reports.internal
          audience: https://reports.example.com
          timeouts:
            connect: soon
          credentials: kinde-eu
      """
    let error = #expect(throws: ConfigurationError.self) { try configuration(text) }
    #expect(
      error?.description == """
        proxy.conf:10:5: routes[0]: unknown setting "audiance"; did you mean "audience"?
        proxy.conf:17:16: routes[1].timeouts.connect must be a duration such as 500ms or 10s, not "soon"
        proxy.conf:18:18: routes[1].credentials names "kinde-eu", which is not defined; defined: kinde
        3 problems, nothing was started.
        """)
    #expect(error?.problems.map(\.path) == ["routes[0]", "routes[1].timeouts.connect", "routes[1].credentials"])
  }

  @Test("counts one problem as one, and shows a hundred at most")
  func counts() {
    let one = ConfigurationProblem(file: "proxy.conf", message: "the file is empty")
    #expect(
      ConfigurationError(problems: [one]).description
        == "proxy.conf: the file is empty\n1 problem, nothing was started.")
    let lines = ConfigurationError(problems: Array(repeating: one, count: 103)).description.split(separator: "\n")
    #expect(lines.count == 102)
    #expect(lines[100...] == ["... and 3 more", "103 problems, nothing was started."])
  }
}
