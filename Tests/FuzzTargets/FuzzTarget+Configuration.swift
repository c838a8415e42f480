import Configuration
import Secrets

private let secret = "s3cr3t-value"
private let environment: Environment = ["SECRET": secret, "ID": "client-1", "EMPTY": "", "LINES": "one\ntwo"]

private func parse(_ input: [UInt8]) -> Result<ProxyConfiguration, ConfigurationError> {
  do throws(ConfigurationError) {
    return .success(try ConfigurationLoader.parse(input, fileName: "proxy.conf", environment: environment))
  } catch {
    return .failure(error)
  }
}

/// A proxy.conf is loaded, or has problems at places that exist, each on one line; neither shows a secret.
func checkConfiguration(_ input: [UInt8]) throws(Violation) {
  switch parse(input) {
  case .success(let configuration):
    try checkPlaces(configuration.warnings, input)
    try require(!configuration.routes.isEmpty, "loaded without a route")
    try require(Set(configuration.routes.map(\.name)).count == configuration.routes.count, "two routes of one name")
    try checkSecrecy("\(configuration) \(String(reflecting: configuration))", input)
  case .failure(let error):
    try require(!error.problems.isEmpty, "refused without a problem")
    try checkPlaces(error.problems, input)
    try checkSecrecy(error.problems.map(\.description).joined(separator: "\n"), input)
  }
}

private func checkPlaces(_ problems: [ConfigurationProblem], _ input: [UInt8]) throws(Violation) {
  let lines = String(decoding: input, as: UTF8.self).split(omittingEmptySubsequences: false) { $0.isNewline }
  for problem in problems {
    let text = problem.message
    try require(!text.isEmpty && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0 != "\u{7f}" }, "\(problem)")
    try require((problem.line == 0) == (problem.column == 0) && problem.line >= 0, "\(problem)")
    guard problem.line > 0 else { continue }
    // One line more than there are: where something is missing at the end.
    try require(problem.line <= lines.count + 1, "\(problem), of \(lines.count) lines")
    let width = problem.line <= lines.count ? lines[problem.line - 1].unicodeScalars.count : 0
    try require((1...width + 1).contains(problem.column), "\(problem), in a line of \(width)")
  }
}

/// The secret is one where `client_secret: ${SECRET}` is a line of its own, and `SECRET` is named nowhere else.
private func checkSecrecy(_ shown: String, _ input: [UInt8]) throws(Violation) {
  let text = String(decoding: input, as: UTF8.self)
  let lines = text.split(separator: "\n").map { $0.drop { $0 == " " } }
  guard lines.contains("client_secret: ${SECRET}"), text.split(separator: "SECRET").count == 2,
    !text.contains(secret)
  else { return }
  try require(!shown.contains(secret), "the secret is shown: \(shown)")
}
