import Testing

@Suite("A text that runs on into the settings of a secret")
struct SwallowedSecretTests {
  @Test(
    "is refused without being shown, or what its variables hold",
    arguments: [
      "|\n    client_id: ${ID}\n    client_secret: ${SECRET}", ">-\n    client_secret: ${SECRET}",
      "'127.0.0.1:8080\n    client_secret: ${SECRET}'", "\"127.0.0.1:8080\n    client_secret: s3cr3t-value\"",
    ])
  func text(value: String) {
    let said = #"has "client_secret:" in its text; a quote or "|" before that is wrong, or an indentation"#
    #expect(problems("\(faultless)listen: \(value)\n") == ["5:9: listen \(said)"])
    // Where any text would do, too.
    #expect(problems("\(faultless)tls:\n  ca_file: \(value)\n") == ["6:12: tls.ca_file \(said)"])
  }

  @Test("is recognised by the previous secret as well")
  func previous() {
    #expect(
      problems("\(faultless)admin: |\n    client_secret_previous: s3cr3t-value\n") == [
        #"5:8: admin has "client_secret_previous:" in its text; a quote or "|" before that is wrong, or an indentation"#
      ])
  }

  @Test("is distinguished from a text that only contains a similar name")
  func names() {
    let problems = problems("\(faultless)tls: { ca_file: /nowhere/client_secret }\n")
    #expect(problems.count == 1 && problems[0].contains("cannot be read"))
  }
}
