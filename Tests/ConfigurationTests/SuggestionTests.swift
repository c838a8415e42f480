import Testing

@testable import Configuration

@Suite("A suggestion")
struct SuggestionTests {
  static let names = ["name", "match", "mount", "forward_to", "credentials", "audience", "scopes", "timeouts"]

  @Test(
    "is made for a slip, and not for another word",
    arguments: [
      ("audiance", "audience"), ("audeince", "audience"), ("scope", "scopes"), ("Match", "match"), ("matches", "match"),
      ("forward-to", "forward_to"), ("forwardTo", "forward_to"), ("forwrad_to", "forward_to"), ("cred", "credentials"),
      ("credential", "credentials"), ("nmae", "name"), ("time", "timeouts"), ("mout", "mount"), ("upstream", nil),
      ("x", nil), ("", nil), ("audienceaudience", "audience"), ("host", nil), (String(repeating: "a", count: 65), nil),
    ])
  func suggests(word: String, expected: String?) {
    #expect(suggestion(for: word, among: Self.names) == expected)
  }

  @Test("counts insertions, deletions, replacements and swaps as one each")
  func distance() {
    for (one, other, expected) in [
      ("", "", 0), ("abc", "abc", 0), ("", "abc", 3), ("abc", "", 3), ("abc", "abxc", 1), ("abc", "ac", 1),
      ("abc", "axc", 1), ("abc", "acb", 1), ("ab", "ba", 1), ("abcd", "badc", 2), ("kitten", "sitting", 3),
    ] {
      #expect(editDistance(Array(one.utf8), Array(other.utf8)) == expected, "\(one) \(other)")
    }
  }
}
