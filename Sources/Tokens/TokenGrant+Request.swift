import Secrets

extension TokenGrant {
  /// The request for a token (RFC 6749, 4.4.2), to be answered within `timeout`, made at `wallSeconds` after 1970. Each
  /// attempt needs one of its own: an assertion is good for a single one.
  ///
  /// An empty scope is left out, since some servers refuse it.
  public func request(
    timeout: Duration = TokenHTTPRequest.longestWait, wallSeconds: Int64
  ) throws(TokenFailure.Cause) -> TokenHTTPRequest {
    var fields = [
      TokenHTTPField("Content-Type", .text("application/x-www-form-urlencoded")),
      TokenHTTPField("Accept", .text("application/json")),
    ]
    if key.authentication == .clientSecretBasic {
      fields.append(TokenHTTPField("Authorization", .secret(basicCredentials(prefix: "Basic "))))
    }
    fields += key.headers.sorted { $0.key < $1.key }.map { TokenHTTPField($0.key, .secret($0.value)) }
    return TokenHTTPRequest(
      url: key.endpoint, fields: fields, body: try body(wallSeconds: wallSeconds), timeout: timeout,
      way: key.way)
  }

  private func body(wallSeconds: Int64) throws(TokenFailure.Cause) -> Secret {
    var form = [("grant_type", "client_credentials")]
    if key.authentication != .clientSecretBasic { form.append(("client_id", key.clientID)) }
    if let audience = key.audience { form.append(("audience", audience)) }
    form += key.resources.map { ("resource", $0) }
    if !key.scopes.isEmpty { form.append(("scope", key.scopes.joined(separator: " "))) }
    form += key.parameters.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }

    let proof = try proof(wallSeconds: wallSeconds)
    let plain = form.reduce(0) { $0 + 2 + FormEncoding.longest($1.0.utf8.count + $1.1.utf8.count) }
    let last = proof.map { $0.name.utf8.count + FormEncoding.longest($0.value.count) } ?? 0
    var writer = SecretWriter(capacity: plain + last)
    for (position, (name, value)) in form.enumerated() {
      if position > 0 { writer.append("&") }
      writer.append(formEncoding: name)
      writer.append("=")
      writer.append(formEncoding: value)
    }
    if let proof {
      writer.append(proof.name)
      proof.value.withBytes { writer.append(formEncoding: $0) }
    }
    return writer.secret()
  }

  /// What the form ends with to prove who the client is: encoded names up to the last "=", and the value for it.
  private func proof(wallSeconds: Int64) throws(TokenFailure.Cause) -> (name: String, value: Secret)? {
    switch key.authentication {
    case .clientSecretPost:
      return ("&client_secret=", clientSecret)
    case .privateKeyJWT(let assertion):
      let type = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
      let value = try assertion.signed(for: key.clientID, at: wallSeconds)
      return ("&client_assertion_type=\(type)&client_assertion=", value)
    case .clientSecretBasic, .tlsClientAuth:
      return nil
    }
  }

  /// The credentials of HTTP Basic, id and secret form-encoded before base64 as RFC 6749, 2.3.1 demands.
  func basicCredentials(prefix: String) -> Secret {
    var pair = SecretWriter(capacity: FormEncoding.longest(key.clientID.utf8.count + clientSecret.count) + 1)
    pair.append(formEncoding: key.clientID)
    pair.append(":")
    clientSecret.withBytes { pair.append(formEncoding: $0) }
    let plain = pair.secret()

    var writer = SecretWriter(capacity: prefix.utf8.count + Base64.encodedCount(plain.count))
    writer.append(prefix)
    plain.withBytes { bytes in Base64.encode(bytes) { writer.append($0) } }
    return writer.secret()
  }

  /// The client secret as it appears in a form.
  func formEncodedSecret() -> Secret {
    var writer = SecretWriter(capacity: FormEncoding.longest(clientSecret.count))
    clientSecret.withBytes { writer.append(formEncoding: $0) }
    return writer.secret()
  }
}
