import Secrets

extension TokenGrant {
  /// The request for a token (RFC 6749, 4.4.2), to be answered within `timeout`.
  ///
  /// An empty scope is left out, since some servers refuse it.
  public func request(timeout: Duration = TokenHTTPRequest.longestWait) -> TokenHTTPRequest {
    var fields = [
      TokenHTTPField("Content-Type", .text("application/x-www-form-urlencoded")),
      TokenHTTPField("Accept", .text("application/json")),
    ]
    if key.authentication == .clientSecretBasic {
      fields.append(TokenHTTPField("Authorization", .secret(basicCredentials(prefix: "Basic "))))
    }
    return TokenHTTPRequest(url: key.endpoint, fields: fields, body: body(), timeout: timeout)
  }

  private func body() -> Secret {
    var form = [("grant_type", "client_credentials")]
    if key.authentication == .clientSecretPost { form.append(("client_id", key.clientID)) }
    if let audience = key.audience { form.append(("audience", audience)) }
    if !key.scopes.isEmpty { form.append(("scope", key.scopes.joined(separator: " "))) }
    form += key.parameters.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }

    let secretField = "&client_secret="
    let plain = form.reduce(0) { $0 + 2 + FormEncoding.longest($1.0.utf8.count + $1.1.utf8.count) }
    var writer = SecretWriter(capacity: plain + secretField.utf8.count + FormEncoding.longest(clientSecret.count))
    for (position, (name, value)) in form.enumerated() {
      if position > 0 { writer.append("&") }
      writer.append(formEncoding: name)
      writer.append("=")
      writer.append(formEncoding: value)
    }
    if key.authentication == .clientSecretPost {
      writer.append(secretField)
      clientSecret.withBytes { writer.append(formEncoding: $0) }
    }
    return writer.secret()
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
