internal import Cryptography
internal import Outbound

/// The settings of credentials.
enum CredentialsSettings {
  static let provider = Declared(
    "provider", Format<Credentials.ProviderName>.choice(),
    default: .described("`generic` with `token_endpoint` alone, else `kinde`"),
    "the kind of authorization server; `generic` is any with the client credentials grant")
  static let domain = Declared(
    "domain", .domain, default: .described("required for kinde"), "Kinde's domain, such as `acme.kinde.com`")
  static let tokenEndpoint = Declared(
    "token_endpoint", .tokenEndpoint, default: .described("`https://DOMAIN/oauth2/token`; required for generic"),
    "the URL for token requests")
  static let clientID = Declared(
    "client_id", .clientID, default: .required, "the client's id at the authorization server, in printable ASCII")
  static let clientSecret = SettingDeclaration(
    "client_secret", ClientSecretForm.type,
    default: .described("required with `client_secret_…`"),
    "the secret; see [client_secret](#client_secret)")
  static let previousClientSecret = SettingDeclaration(
    "client_secret_previous", ClientSecretForm.type, "during a rotation: used when the server rejects the first"
  )
  static let budget = SettingDeclaration(
    "budget", .section(CredentialsBudget.group), "how many tokens may be issued; see [budget](#budget)")
  static let authentication = Declared(
    "authentication", .clientAuthentication, default: .value("client_secret_post"),
    "how the client authenticates; see [authentication](#authentication)")
  static let audience = Declared("audience", .audience, "the audience of tokens, for routes that name none")
  static let timeout = Declared(
    "timeout", .duration, default: .value("10s"), "for a response of the token endpoint, including a second attempt")
  static let resource = SettingDeclaration(
    "resource", .list(Format<String>.resource.type), "RFC 8707: the resource of tokens, for routes that name none")
  static let parameters = SettingDeclaration(

    "parameters",
    .values(
      .text("text"),
      pattern: "(?!(grant_type|client_id|client_secret|audience|resource|scope)$|client_assertion).+"),
    "further fields of the form, by name")
  static let headers = SettingDeclaration(

    "headers", .values(SecretForm.type, pattern: "\(Patterns.tokenCharacter)+"),
    "further header fields, by name; never shown, read at start")
  static let clientCertificate = SettingDeclaration(
    "client_certificate", .section(CertificateFiles.group),
    "the client certificate for the token endpoint; see [client_certificate](#client_certificate)")
  static let parentProxy = SettingDeclaration(
    "parent_proxy", ParentProxySettings.type, default: .described("that of the top level"),
    "the HTTP proxy through which the token endpoint is reached")
  static let tls = SettingDeclaration(
    "tls", .section(TrustSettings.group), default: .described("that of the top level"),
    "the authorities that verify the token endpoint; see [tls](#tls)")

  // Of private_key_jwt.
  static let privateKey = SettingDeclaration(
    "private_key", .section(SecretForm.fileGroup), default: .described("required with `private_key_jwt`"),
    "*private_key_jwt*: PEM, not encrypted: RSA from 2048 bits, P-256, P-384, P-521 or Ed25519")
  static let certificate = SettingDeclaration(
    "certificate", .section(SecretForm.fileGroup),
    "*private_key_jwt*: the key's certificate, PEM; adds `x5t` and `x5t#S256` to assertions (Entra ID)")
  static let keyID = Declared(
    "key_id", .line("the key's name at the authorization server"),
    "*private_key_jwt*: `kid`, the key's name at the server")
  static let signingAlgorithm = Declared(
    "signing_algorithm", Format<SignatureAlgorithm>.choice(),
    default: .described("`RS256` with RSA, else the only one"),
    "*private_key_jwt*: one that fits the key")
  static let assertionAudience = Declared(
    "assertion_audience", .line("what the authorization server calls itself"),
    default: .described("the token endpoint"), "*private_key_jwt*: `aud`, the server's own identifier")

  static let assertionLifetime = Declared(
    "assertion_lifetime", .assertionLifetime, default: .value("60s"),
    "*private_key_jwt*: how long an assertion is valid, 30s to 10m")

  // Of client_assertion.
  static let assertionFile = SettingDeclaration(
    "client_assertion", .section(SecretForm.fileGroup), default: .described("required with `client_assertion`"),
    "a JWT that another program writes and renews; see [client_assertion](#client_assertion)")

  static let keySettings = [
    privateKey, certificate, keyID.declaration, signingAlgorithm.declaration, assertionAudience.declaration,
    assertionLifetime.declaration,
  ]

  /// What a mapping in `credentials` may have.
  static let group = SettingGroup(
    "credentials", "A client of an authorization server, as which the proxy fetches tokens.",
    [
      provider.declaration, domain.declaration, tokenEndpoint.declaration, clientID.declaration,
      authentication.declaration, clientSecret, previousClientSecret,
    ] + keySettings + [
      assertionFile, clientCertificate, budget, timeout.declaration, audience.declaration, resource, parameters,
      headers, parentProxy, tls,
    ], need: .anyOf([domain.declaration, tokenEndpoint.declaration]))
}

/// The form of a setting that contains a secret, or says where it is.
enum SecretForm {
  static let file = Declared("file", .line("the path of a file", .text("path")), "a file of at most 64 KB")
  static let env = SettingDeclaration(
    "env", .text("name", pattern: "[A-Za-z_][A-Za-z0-9_]*"), "an environment variable")

  /// `{ file: PATH }` or `{ env: NAME }`.
  static let group = SettingGroup(
    "secret", form: "`{ file: PATH }`, or `{ env: NAME }`", "A file or an environment variable that holds a secret.",
    [file.declaration, env], need: .oneOf([file.declaration, env]))
  /// `{ file: PATH }`.
  static let fileGroup = SettingGroup(
    "file", form: "`{ file: PATH }`", "A file.", [file.declaration], need: .oneOf([file.declaration]))
  /// A mapping, or the secret itself.
  static let type = SettingType.either([.section(group), .text("text")])
}

/// The form of a client secret, which may also come from a program.
enum ClientSecretForm {
  static let exec = SettingDeclaration(
    "exec", .arguments, "a program that prints the secret: its absolute path, then its arguments")
  static let refresh = Declared(
    "refresh", .duration, default: .value("5m"), "*exec*: how long its output counts as current")

  static let environment = SettingDeclaration(
    "environment", .list(SecretForm.env.type),
    "*exec*: variables that the program gets beside the [usual ones](#client_secret)")

  /// `{ file: PATH }`, `{ env: NAME }` or `{ exec: [PROGRAM, ARGUMENT] }`.
  static let group = SettingGroup(
    "client_secret", form: "`{ file: PATH }`, `{ env: NAME }`, or `{ exec: [PROGRAM, ARGUMENT…] }`",
    "A file or an environment variable that holds a secret, or a program that prints it.",
    [SecretForm.file.declaration, SecretForm.env, exec, refresh.declaration, environment],
    need: .oneOf([SecretForm.file.declaration, SecretForm.env, exec]))
  /// A mapping, or the secret itself.
  static let type = SettingType.either([.section(group), .text("text")])
}

extension Format<ClientAuthentication> {
  /// A method of client authentication.
  static var clientAuthentication: Self {
    let choice = Format.choice()
    return Format(
      choice.expected, .listedElsewhere(choice.type, "a method of the [table](#authentication)"),
      written: choice.written, read: choice.read)
  }
}
