import Testing

@Suite("credentials: budget and client_secret_previous")
struct CredentialsBudgetTests {
  /// The problems of credentials with `settings`, one after the other.
  private func complaints(_ settings: String) -> String {
    problems(
      """
      credentials:
        kinde:
          domain: acme.kinde.com
          client_id: id
          client_secret: { env: SECRET }
          \(settings)
      routes:
        - { name: orders, match: orders.internal, audience: https://orders.example.com }
      """
    ).joined(separator: "\n")
  }

  @Test("a budget needs a number and a period, and says which there are")
  func budget() {
    #expect(complaints("budget: { tokens: 10, per: month, when_spent: stop }") == "")
    #expect(complaints("budget: { tokens: 10 }").contains("6:13: credentials.kinde.budget.per is missing"))
    #expect(complaints("budget: { tokens: 0, per: day }").contains("budget.tokens must be a number from 1"))
    #expect(complaints("budget: { tokens: 1, per: week }").contains("hour, day or month"))
    #expect(complaints("budget: { tokens: 1, per: day, when_spent: die }").contains("warn or stop"))
    #expect(complaints("budget: { token: 1, per: day }").contains("did you mean \"tokens\"?"))
  }

  @Test("the previous secret is a secret: no message shows it")
  func previous() {
    #expect(complaints("client_secret_previous: { env: WORD }") == "")
    let complaint = complaints("client_secret_previous: { env: WORD }\n    authentication: \"${WORD}\"")
    #expect(complaint != "" && !complaint.contains("soon"))
    #expect(complaints("client_secret_previous: { env: MISSING }").contains("MISSING is not set"))
  }
}
