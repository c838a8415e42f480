import Configuration
import Secrets

/// A configuration without fault, four lines long: what a test adds begins in line 5.
let faultless = """
  credentials:
    kinde: { domain: acme.kinde.com, client_id: id, client_secret: "${SECRET}" }
  routes:
    - { name: orders, match: orders.internal, audience: https://orders.example.com }

  """

/// What the proxy's environment is in these tests.
let environment = [
  "SECRET": "s3cr3t-value", "WORD": "soon", "EMPTY": "", "ID": "client-1", "LINES": "one\ntwo",
  "KEY": "a-key-of-more-than-32-characters-in-all",
]

/// The configuration that `text` describes; its problems are thrown.
func configuration(_ text: String) throws(ConfigurationError) -> ProxyConfiguration {
  try ConfigurationLoader.parse(Array(text.utf8), fileName: "proxy.conf", environment: Environment(environment))
}

/// The problems of `text` as they are shown, without the file's name; none if it is loaded.
func problems(_ text: String) -> [String] {
  do {
    _ = try configuration(text)
    return []
  } catch {
    return error.problems.map { shown($0) }
  }
}

/// The warnings of `text` as they are shown, without the file's name.
func warnings(_ text: String) throws -> [String] {
  try configuration(text).warnings.map { shown($0) }
}

private func shown(_ problem: ConfigurationProblem) -> String {
  String("\(problem)".trimmingPrefix("proxy.conf:"))
}
