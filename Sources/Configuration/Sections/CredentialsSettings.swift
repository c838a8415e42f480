internal import Cryptography
internal import Outbound

/// The settings of credentials.
enum CredentialsSettings {
  static let provider = Declared(
    "provider", Format<Credentials.ProviderName>.choice(),
    default: .described("`generic` with `token_endpoint` alone, else `kinde`"),
    "`generic`: any server with the client credentials grant")
  static let domain = Declared(
    "domain", .domain, default: .described("required for kinde"), "`acme.kinde.com`; it gives the token endpoint")
  static let tokenEndpoint = Declared(
    "token_endpoint", .tokenEndpoint, default: .described("`https://DOMAIN/oauth2/token`; required for generic"),
    "where tokens are requested; https, or http on this machine")
  static let clientID = Declared("client_id", .clientID, default: .required, "printable ASCII")
  static let clientSecret = SettingDeclaration(
    "client_secret", SecretForm.type, default: .described("required with `client_secret_post` and `…_basic`"),
    "see [client_secret](#client_secret)")
  static let previousClientSecret = SettingDeclaration(
    "client_secret_previous", SecretForm.type, "during a rotation: used when the server does not accept the first")
  static let budget = SettingDeclaration(
    "budget", .section(CredentialsBudget.group), "how many tokens there may be; see [budget](#budget)")
  static let authentication = Declared(
    "authentication", Format<ClientAuthentication>.choice(), default: .value("client_secret_post"),
    "how the client proves who it is; see [authentication](#authentication)")
  static let audience = Declared("audience", .audience, "for routes that name none")
  static let timeout = Declared(
    "timeout", .duration, default: .value("10s"), "for a reply of the token endpoint, a second attempt included")
  static let resource = SettingDeclaration(
    "resource", .list(Format<String>.resource.type), "RFC 8707, for routes that name none; without a fragment")
  static let parameters = SettingDeclaration(
    "parameters", .values(.text("text")), "further fields of the form, by name; not those that other settings are for")
  static let headers = SettingDeclaration(
    "headers", .values(SecretForm.type), "further header fields, by name; never shown, read at start")
  static let clientCertificate = SettingDeclaration(
    "client_certificate", .section(CertificateFiles.group), "shown to the token endpoint, with any `authentication`")
  static let parentProxy = SettingDeclaration(
    "parent_proxy", ParentProxySettings.type, default: .described("that of the top level"),
    "the HTTP proxy through which the token endpoint is reached")

  // Of private_key_jwt.
  static let privateKey = SettingDeclaration(
    "private_key", .section(SecretForm.fileGroup), default: .described("required with `private_key_jwt`"),
    "PEM, RSA from 2048 bits or P-256, not encrypted; read for each attempt")
  static let keyID = Declared(
    "key_id", .line("the key's name at the authorization server"),
    "*private_key_jwt*: `kid`, the key's name at the server")
  static let signingAlgorithm = Declared(
    "signing_algorithm", Format<SignatureAlgorithm>.choice(), default: .described("`RS256`, `ES256` with P-256"),
    "*private_key_jwt*: one that the key is fit for")
  static let assertionAudience = Declared(
    "assertion_audience", .line("what the authorization server calls itself"),
    default: .described("the token endpoint"), "*private_key_jwt*: `aud`, what the server calls itself")

  static let keySettings = [
    privateKey, keyID.declaration, signingAlgorithm.declaration, assertionAudience.declaration,
  ]

  /// What a mapping in `credentials` may have.
  static let group = SettingGroup(
    "credentials", "A client of an authorization server: what tokens are fetched as.",
    [
      provider.declaration, domain.declaration, tokenEndpoint.declaration, clientID.declaration,
      authentication.declaration, clientSecret, previousClientSecret,
    ] + keySettings + [
      clientCertificate, budget, timeout.declaration, audience.declaration, resource, parameters, headers, parentProxy,
    ])
}

/// The form of a setting that holds a secret, or names a place that does.
enum SecretForm {
  static let file = Declared("file", .line("the path of a file", .text("path")), "a file of at most 64 KB")
  static let env = SettingDeclaration(
    "env", .text("name", pattern: "[A-Za-z_][A-Za-z0-9_]*"), "an environment variable")

  /// `{ file: PATH }` or `{ env: NAME }`.
  static let group = SettingGroup(
    "secret", "A file or an environment variable that holds a secret.", [file.declaration, env])
  /// `{ file: PATH }`.
  static let fileGroup = SettingGroup("file", "A file.", [file.declaration])
  /// A mapping, or the secret itself.
  static let type = SettingType.either([.text("text"), .section(group)])
}
