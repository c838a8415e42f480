import Deliveries
import Locks
import Secrets
import Tokens

private let secret = "hunter2-+/hunter2"
/// The secret, as it is, in a form, and in Basic credentials.
private let secretForms = [secret, "hunter2-%2B%2Fhunter2", "Y2xpZW50LTE6aHVudGVyMi0lMkIlMkZodW50ZXIy"]

/// A reply gives a token that is fit for a field, or a failure that can be printed and shows no secret.
func checkTokenReply(_ input: [UInt8]) throws(Violation) {
  for authentication in [ClientAuthenticationMethod.clientSecretPost, .clientSecretBasic] {
    switch outcome(of: reply(input), authentication) {
    case .success(let token): try check(token)
    case .failure(let failure): try check(failure, input)
    }
  }
}

/// Reads `input`: the status on the first line, fields, an empty line, and then the body.
private func reply(_ input: [UInt8]) -> TokenHTTPResponse {
  var rest = input[...]
  func line() -> String {
    let line = rest.prefix { $0 != UInt8(ascii: "\n") }
    rest = rest.dropFirst(line.count + 1)
    return String(decoding: line, as: UTF8.self)
  }
  let status = Int(line()) ?? 200
  var fields: [String: String] = [:]
  while !rest.isEmpty {
    let field = line()
    if field.isEmpty { break }
    let parts = field.split(separator: ":", maxSplits: 1).map { String($0.drop { $0 == " " }) }
    if parts.count == 2 { fields[parts[0].lowercased()] = parts[1] }
  }
  return TokenHTTPResponse(
    status: status, contentType: fields["content-type"], retryAfter: fields["retry-after"],
    rateLimitReset: fields["ratelimit-reset"], date: fields["date"],
    body: Array(rest.prefix(TokenHTTPResponse.longestBody)), bodyWasCut: rest.count > TokenHTTPResponse.longestBody,
    contentEncoding: fields["content-encoding"])
}

private func outcome(
  of response: TokenHTTPResponse, _ authentication: ClientAuthenticationMethod
) -> Result<AccessToken, TokenFailure> {
  let grant = TokenGrant(
    key: TokenRequestKey(
      endpoint: "https://acme.kinde.com/oauth2/token", clientID: "client-1", authentication: authentication,
      audience: "https://orders.example.com", scopes: []),
    clientSecret: Secret(secret), credentialsName: "kinde", provider: .kinde)
  let executor = CallersExecutor()
  let source = TokenSource(
    grant: grant,
    environment: TokenEnvironment(
      clock: TokenClock(now: { TokenInstant(nanoseconds: 1_000_000_000) }, wallSeconds: { 1_800_000_000 }),
      transport: { _ in .success(response) },
      launch: { work in Task(executorPreference: executor) { await work() } }, schedule: { _, _ in },
      onEvent: { _ in }, random: { 0.5 }))
  let result = Monitor<Result<AccessToken, TokenFailure>?>(nil)
  switch source.request({ outcome in result.withLock { $0 = outcome } }) {
  case .available(let token): return .success(token)
  case .failed(let failure): return .failure(failure)
  case .pending:
    executor.run()
    return result.withLock { $0 }!
  }
}

private func check(_ token: AccessToken) throws(Violation) {
  let value = token.withToken { token in token.indices.map { token[$0] } }
  try require(!value.isEmpty && value.count <= AccessToken.longestToken, "a token of \(value.count) bytes")
  try require(value.allSatisfy { (0x21...0x7e).contains($0) }, "the token is \(text(value))")
  // One that is over at once serves the requests that wait.
  try require(token.lifetime >= .zero, "a lifetime of \(token.lifetime)")
  try require(!"\(token) \(String(reflecting: token))".contains(text(value)) || value.count < 12, "a token is shown")
}

private func check(_ failure: TokenFailure, _ input: [UInt8]) throws(Violation) {
  try require(failure.secondsToNextAttempt >= 1, "asked again after \(failure.secondsToNextAttempt) s")
  let words = [failure.detail, failure.cause.label]
  for word in words {
    try require(word.unicodeScalars.allSatisfy { (0x20...0x7e).contains($0.value) }, "unprintable: \(word)")
    try require(word.utf8.count < 2_000, "\(word.utf8.count) bytes long: \(word)")
  }
  let shown = words.joined(separator: " ") + String(reflecting: failure)
  for form in secretForms { try require(!shown.contains(form), "the secret is shown: \(shown)") }
}

/// Runs tasks on the thread that calls ``run()``.
private final class CallersExecutor: TaskExecutor {
  private let jobs = Monitor<[UnownedJob]>([])

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    jobs.withLock { $0.append(job) }
  }

  /// Runs everything that is there to do, to its end.
  func run() {
    while let job = jobs.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) {
      // Safe: the executor outlives the call, since `self` is running it.
      unsafe job.runSynchronously(on: asUnownedTaskExecutor())
    }
  }
}
