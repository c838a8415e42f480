import Secrets
import Testing

@testable import Configuration

@Suite("Substitution")
struct SubstitutionTests {
  static let environment: Environment = ["A": "1", "B_2": "two", "EMPTY": "", "NESTED": "${A}$$"]

  @Test(
    "puts the environment in place of variables, once",
    arguments: [
      ("", ""), ("plain", "plain"), ("${A}", "1"), ("x${A}y${B_2}z", "x1ytwoz"), ("${NESTED}", "${A}$$"),
      ("${NO:-x}", "x"), ("${NO:-}", ""), ("${EMPTY:-x}", "x"), ("${EMPTY}", ""), ("${A:-x}", "1"),
      ("${NO:-a:-b}", "a:-b"),
      ("$$", "$"), ("$$$$", "$$"), ("$${A}", "${A}"), ("$$${A}", "$1"), ("$", "$"), ("$A", "$A"), ("a$ b", "a$ b"),
      ("100$", "100$"), ("}{", "}{"), ("${A}}", "1}"),
    ])
  func replaces(written: String, expected: String) throws {
    #expect(try Substitution(written).text(environment: Self.environment) == expected)
  }

  @Test(
    "refuses what it cannot read",
    arguments: [
      "${", "${A", "${}", "${ A}", "${A }", "${1}", "${A-x}", "${A:x}", "${A:=x}", "${a.b}", "${ä}", "${A:-${B_2}}",
      "${NO}",
    ])
  func refuses(written: String) {
    #expect(throws: Refusal.self) { try Substitution(written).text(environment: Self.environment) }
  }

  @Test("names its variables, not what looks like one")
  func names() throws {
    #expect(try Substitution("${A}$${X}${B_2:-c}").names == ["A", "B_2"])
    #expect(try Substitution("plain").names == [])
  }
}
