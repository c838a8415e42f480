import Foundation
import Secrets
import Testing

/// The problems of credentials that consist of `body`, and of a route that goes without a token.
private func credentialsProblems(_ body: String) -> [String] {
  problems("credentials:\n  kinde: \(body)\nroutes: [{ name: a, match: a, credentials: none }]\n")
}

@Suite("Wrong credentials")
struct CredentialsProblemTests {
  static let missingSecret = "is missing; it must be { file: PATH }, { env: NAME }, { exec: [PROGRAM] } or ${NAME}"
  static let id = "client_id: id"
  static let good = "\(id), client_secret: { env: SECRET }"

  @Test(
    "are told with their place and what belongs there",
    arguments: [
      Case("", "2:9: credentials.kinde must be a mapping of settings, not nothing"),
      Case("kinde", "2:10: credentials.kinde must be a mapping of settings, not text"),
      Case("[]", "2:10: credentials.kinde must be a mapping of settings, not a list"),
      Case(
        "{}", "2:10: credentials.kinde.client_id is missing; it must be the client id, in printable ASCII",
        "2:10: credentials.kinde.client_secret \(missingSecret)",
        "2:10: credentials.kinde.domain is missing; it must be a domain such as acme.kinde.com; for a server other than Kinde set token_endpoint instead"
      ),
      Case(
        "{ \(good) }",
        "2:10: credentials.kinde.domain is missing; it must be a domain such as acme.kinde.com; for a server other than Kinde set token_endpoint instead"
      ),
      Case(
        "{ provider: kinde, \(good) }",
        "2:10: credentials.kinde.domain is missing; it must be a domain such as acme.kinde.com"),
      Case(
        "{ provider: kinde, token_endpoint: 'https://a/t', \(good) }",
        "2:10: credentials.kinde.domain is missing; it must be a domain such as acme.kinde.com"),
      Case(
        "{ provider: generic, \(good) }",
        "2:10: credentials.kinde.token_endpoint is missing; it must be a URL such as https://login.example.com/oauth2/token"
      ),
      Case(
        "{ provider: generic, domain: a.kinde.com, token_endpoint: 'https://a/t', \(good) }",
        "2:39: credentials.kinde.domain is for provider kinde only; token_endpoint says where tokens come from"),
      Case(
        "{ provider: auth0, domain: a.kinde.com, \(good) }",
        #"2:22: credentials.kinde.provider must be kinde or generic, not "auth0""#),
      Case(
        "{ provider: Kinde, domain: a.kinde.com, \(good) }",
        #"2:22: credentials.kinde.provider must be kinde or generic, not "Kinde"; did you mean kinde?"#),
      Case(
        "{ domain: 'https://acme.kinde.com', \(good) }",
        #"2:20: credentials.kinde.domain must be a domain such as acme.kinde.com, not "https://acme.kinde.com"; leave out https://"#
      ),
      Case(
        "{ domain: acme.kinde.com/, \(good) }",
        #"2:20: credentials.kinde.domain must be a domain such as acme.kinde.com, not "acme.kinde.com/"; leave out the path"#
      ),
      Case(
        "{ domain: 'acme.kinde.com:443', \(good) }",
        #"2:20: credentials.kinde.domain must be a domain such as acme.kinde.com, not "acme.kinde.com:443""#),
      Case(
        "{ domain: 127.0.0.1, \(good) }",
        #"2:20: credentials.kinde.domain must be a domain such as acme.kinde.com, not "127.0.0.1""#),
      Case(
        "{ domain: acme kinde, \(good) }",
        #"2:20: credentials.kinde.domain must be a domain such as acme.kinde.com, not "acme kinde"; a host consists of letters, digits, "-", "_" and single dots"#
      ),
      Case(
        "{ domain: bücher.kinde.com, \(good) }",
        #"2:20: credentials.kinde.domain must be a domain such as acme.kinde.com, not "bücher.kinde.com"; write an international name in its ASCII form, which begins with xn--"#
      ),
      Case(
        "{ domain: a.kinde.com, client_secret: { env: SECRET } }",
        "2:10: credentials.kinde.client_id is missing; it must be the client id, in printable ASCII"),
      Case(
        "{ domain: a.kinde.com, client_id: , client_secret: { env: SECRET } }",
        "2:44: credentials.kinde.client_id must be the client id, in printable ASCII, not nothing"),
      Case(
        "{ domain: a.kinde.com, client_id: '', client_secret: { env: SECRET } }",
        #"2:44: credentials.kinde.client_id must be the client id, in printable ASCII; it is empty"#),
      Case(
        "{ domain: a.kinde.com, client_id: ä, client_secret: { env: SECRET } }",
        #"2:44: credentials.kinde.client_id must be the client id, in printable ASCII; it holds other characters"#),
      Case(
        "{ domain: a.kinde.com, client_id: '${LINES}', client_secret: { env: SECRET } }",
        #"2:44: credentials.kinde.client_id must be the client id, in printable ASCII, not what ${LINES} holds; it holds other characters"#
      ),
      Case(
        "{ domain: a.kinde.com, client_id: '${EMPTY}', client_secret: { env: SECRET } }",
        #"2:44: credentials.kinde.client_id must be the client id, in printable ASCII, not what ${EMPTY} holds; it is empty"#
      ),
      Case(
        "{ domain: a.kinde.com, client_id: '${NO}', client_secret: { env: SECRET } }",
        "2:44: credentials.kinde.client_id: environment variable NO is not set"),
      Case(
        "{ domain: a.kinde.com, authentication: basic, \(good) }",
        #"2:49: credentials.kinde.authentication must be client_secret_post, client_secret_basic, client_secret_basic_raw, private_key_jwt, client_assertion or tls_client_auth, not "basic""#
      ),
      Case(
        "{ domain: a.kinde.com, authentication: client_secret, \(good) }",
        #"2:49: credentials.kinde.authentication must be client_secret_post, client_secret_basic, client_secret_basic_raw, private_key_jwt, client_assertion or tls_client_auth, not "client_secret"; did you mean client_secret_post?"#
      ),
      Case(
        "{ domain: a.kinde.com, audience: '', \(good) }",
        #"2:43: credentials.kinde.audience must be an audience such as https://orders.example.com, not """#),
      Case(
        #"{ domain: a.kinde.com, audience: "a\tb", \#(good) }"#,
        #"2:43: credentials.kinde.audience must be an audience such as https://orders.example.com, not "aU+0009b"; it must be a single line"#
      ),
      Case(
        "{ domain: a.kinde.com, audience: [a], \(good) }",
        "2:43: credentials.kinde.audience must be an audience such as https://orders.example.com, not a list"),
      Case(
        "{ domain: a.kinde.com, scopes: a, \(good) }",
        #"2:33: credentials.kinde: unknown setting "scopes"; it belongs in routes"#
      ),
      Case(
        "{ domain: a.kinde.com, client-id: a, \(good) }",
        #"2:33: credentials.kinde: unknown setting "client-id"; did you mean "client_id"?"#),
      Case(
        "{ domian: a.kinde.com, \(good) }",
        "2:10: credentials.kinde.domain is missing; it must be a domain such as acme.kinde.com; for a server other than Kinde set token_endpoint instead",
        #"2:12: credentials.kinde: unknown setting "domian"; did you mean "domain"?"#),
    ])
  func told(example: Case) {
    #expect(credentialsProblems(example.text) == example.expected)
  }

  @Test(
    "are told of a token endpoint that is none",
    arguments: [
      ("login.example.com/token", "; it begins with https://"), ("login", ""), ("", ""),
      ("ftp://a/b", "; only http and https can be used"), ("https//a/b", "; it begins with https://"),
      ("http://login.example.com/t", "; https only, or the client secret would travel unencrypted"),
      ("http://127.1/t", "; an IPv4 address has four numbers from 0 to 255 without leading zeros"),
      ("http://10.0.0.1/t", "; https only, or the client secret would travel unencrypted"),
      ("http://localhost.example/t", "; https only, or the client secret would travel unencrypted"),
      ("https://", "; the host is missing"), ("https:///t", "; the host is missing"),
      ("https://a:0/t", "; a port is a number from 1 to 65535"),
      ("https://a:/t", "; a port is a number from 1 to 65535"),
      ("https://a:99999/t", "; a port is a number from 1 to 65535"), ("https://a#b", "; leave out the fragment (#)"),
      ("https://a/t#b", "; leave out the fragment (#)"),
      ("https://a/%2", "; a % must be followed by two hexadecimal digits"),
      ("https://a/b c", "; percent-encode what is not a letter, a digit or one of -._~!$&'()*+,;=:@/"),
      ("https://a/ä", "; percent-encode what is not a letter, a digit or one of -._~!$&'()*+,;=:@/"),
      ("https://a%2eb/t", "; a host must not be percent-encoded"),
      ("https://*.a/t", "; a wildcard is only allowed in match; write the host out"),
      ("https://::1/t", "; an IPv6 address must be in brackets, such as [::1]"),
    ])
  func endpoint(value: String, hint: String) {
    #expect(
      credentialsProblems("{ token_endpoint: '\(value)', \(Self.good) }") == [
        "2:28: credentials.kinde.token_endpoint must be a URL such as https://login.example.com/oauth2/token, not \"\(value)\"\(hint)"
      ])
  }

  @Test(
    "are told when they have no proper name",
    arguments: [
      Case("credentials: [a]", "1:14: credentials must be a mapping of settings, not a list"),
      Case("credentials:", "1:13: credentials must be a mapping of settings, not nothing"),
      Case("credentials: { none: {} }", #"1:16: credentials: "none" means without a token; choose another name"#),
      Case(
        "credentials: { 'a b': {} }",
        #"1:16: credentials: "a b" must be a name of 1 to 64 letters, digits, ".", "_" and "-""#),
      Case(
        "credentials: { '': {} }", #"1:16: credentials: "" must be a name of 1 to 64 letters, digits, ".", "_" and "-""#
      ),
      Case(
        "credentials: { ä: {} }", #"1:16: credentials: "ä" must be a name of 1 to 64 letters, digits, ".", "_" and "-""#
      ),
      Case(
        "credentials: { a: { domain: a, \(good) }, a: {} }",
        #"1:81: credentials: "a" is set twice; the first is in line 1"#),
    ])
  func names(example: Case) {
    #expect(problems("\(example.text)\nroutes: [{ name: a, match: a, credentials: none }]\n") == example.expected)
  }

  @Test(
    "are told what is wrong with the secret, and never what it is",
    arguments: [
      Case(
        "",
        "2:64: credentials.kinde.client_secret must be { file: PATH }, { env: NAME }, { exec: [PROGRAM] } or ${NAME}, not nothing"
      ),
      Case("''", "2:63: credentials.kinde.client_secret: the secret is empty"),
      Case(
        "[s3cr3t-value]",
        "2:63: credentials.kinde.client_secret must be { file: PATH }, { env: NAME }, { exec: [PROGRAM] } or ${NAME}, not a list"
      ),
      Case("{}", "2:63: credentials.kinde.client_secret needs file, env or exec"),
      Case(
        "{ s3cr3t-value }", "2:63: credentials.kinde.client_secret needs file, env or exec",
        "2:65: credentials.kinde.client_secret: unknown setting; known: file, env, exec, refresh, environment"),
      Case(
        "{ fil: s3cr3t-value }", "2:63: credentials.kinde.client_secret needs file, env or exec",
        #"2:65: credentials.kinde.client_secret: unknown setting; did you mean "file"?"#),
      Case(
        "{ file: /a, env: SECRET }",
        "2:63: credentials.kinde.client_secret has both file and env; one of them is enough"),
      Case(
        "{ exec: [/bin/echo], env: SECRET }",
        "2:63: credentials.kinde.client_secret has both env and exec; one of them is enough"),
      Case(
        "{ env: SECRET, refresh: 5m }",
        "2:87: credentials.kinde.client_secret.refresh is for exec; files are read again for each fetch"),
      Case(
        "{ env: SECRET, environment: [VAULT_ADDR] }",
        "2:91: credentials.kinde.client_secret.environment is for exec, which names a program that gets variables"),
      Case(
        "{ exec: [/bin/echo], environment: [VAULT_ADDR, s3cr3t-value, VAULT_ADDR] }",
        #"2:110: credentials.kinde.client_secret.environment[1] must be the name of an environment variable, without "$" and braces"#,
        "2:124: credentials.kinde.client_secret.environment[2] is there twice"),
      Case(
        "{ exec: [/bin/echo], environment: [] }",
        "2:97: credentials.kinde.client_secret.environment must be the name of an environment variable, or a list of those, not an empty list"
      ),
      Case(
        "{ exec: /bin/echo }",
        "2:71: credentials.kinde.client_secret.exec must be a list: the absolute path of a program, then its arguments, not text"
      ),
      Case(
        "{ exec: [] }",
        "2:71: credentials.kinde.client_secret.exec must be a list: the absolute path of a program, then its arguments, not an empty list"
      ),
      Case(
        "{ exec: [vault, s3cr3t-value] }",
        "2:72: credentials.kinde.client_secret.exec[0] must be the absolute path of a program: it is run directly, without a shell and without a search in PATH"
      ),
      Case(
        "{ exec: [/nowhere/vault, s3cr3t-value] }",
        "2:72: credentials.kinde.client_secret.exec[0] names the program /nowhere/vault, which cannot be run: No such file or directory"
      ),
      Case(
        "{ exec: [/dev/null] }",
        "2:72: credentials.kinde.client_secret.exec[0] names the program /dev/null, which is not a regular file"),
      Case(
        "{ exec: [/bin/echo], refresh: soon }",
        #"2:93: credentials.kinde.client_secret.refresh must be a duration such as 500ms or 10s, not "soon""#),
      Case("{ file: }", "2:71: credentials.kinde.client_secret.file must be the path of a file, not nothing"),
      Case(
        "{ file: [s3cr3t-value] }", "2:71: credentials.kinde.client_secret.file must be the path of a file, not a list"),
      Case(
        "{ file: /nowhere/x }",
        "2:71: credentials.kinde.client_secret.file: file /nowhere/x cannot be read: No such file or directory"),
      Case("{ file: / }", "2:71: credentials.kinde.client_secret.file: file / is a directory; name the file in it"),
      Case("{ file: /dev/null }", "2:71: credentials.kinde.client_secret.file: file /dev/null is not a regular file"),
      Case(
        "{ file: '${SECRET}' }",
        "2:71: credentials.kinde.client_secret.file: file ${SECRET} cannot be read: No such file or directory"),
      Case("{ file: '${NO}' }", "2:71: credentials.kinde.client_secret.file: environment variable NO is not set"),
      Case("{ env: NO }", "2:70: credentials.kinde.client_secret.env: environment variable NO is not set"),
      Case("{ env: EMPTY }", "2:70: credentials.kinde.client_secret.env: environment variable EMPTY is empty"),
      Case(
        "{ env: LINES }",
        "2:70: credentials.kinde.client_secret.env: environment variable LINES holds more than one line; a secret is a single one"
      ),
      Case(
        "{ env: $SECRET }",
        #"2:70: credentials.kinde.client_secret.env must be the name of an environment variable, without "$" and braces"#
      ),
      Case(
        "{ env: '${SECRET}' }",
        #"2:70: credentials.kinde.client_secret.env must be the name of an environment variable, without "$" and braces"#
      ),
      Case(
        "{ env: s3cr3t-value }",
        #"2:70: credentials.kinde.client_secret.env must be the name of an environment variable, without "$" and braces"#
      ),
      Case(
        "{ env: [SECRET] }",
        #"2:70: credentials.kinde.client_secret.env must be the name of an environment variable, without "$" and braces"#
      ),
      Case("'${NO}'", "2:63: credentials.kinde.client_secret: environment variable NO is not set"),
      Case("'${EMPTY}'", "2:63: credentials.kinde.client_secret: environment variable EMPTY is empty"),
      Case("'${EMPTY:-}'", "2:63: credentials.kinde.client_secret: the secret is empty"),
      Case(
        "'${LINES}'",
        "2:63: credentials.kinde.client_secret: environment variable LINES holds more than one line; a secret is a single one"
      ),
      Case(
        "'s3cr3t${value}'",
        #"2:63: credentials.kinde.client_secret: a variable in it is not set; write $$ for a "$" that means itself"#),
      Case(
        "'s3cr3t-value${'",
        #"2:63: credentials.kinde.client_secret: a "${" is not closed; write $$ for a "$" that means itself"#),
      Case(
        #""s3cr3t\0value""#,
        "2:63: credentials.kinde.client_secret: the secret holds the control byte 0, which cannot be part of a secret"),
      Case(
        #""s3cr3t\nvalue""#,
        "2:63: credentials.kinde.client_secret: the secret holds more than one line; a secret is a single one"),
      Case(
        "&s3cr3t value",
        "2:63: credentials.kinde.client_secret: anchors (&) are not supported; \(SyntaxProblemTests.begins)"),
      Case(
        "*s3cr3t",
        "2:63: credentials.kinde.client_secret: aliases (*) are not supported; write the value out, or \(SyntaxProblemTests.begins)"
      ),
      Case(
        "!s3cr3t value",
        "2:63: credentials.kinde.client_secret: tags (!) are not supported; \(SyntaxProblemTests.begins)"),
    ])
  func secret(example: Case) {
    let problems = credentialsProblems("{ domain: a.kinde.com, client_id: id, client_secret: \(example.text) }")
    #expect(problems == example.expected)
    for problem in problems { #expect(!problem.contains("s3cr3t")) }
  }

  @Test("never show a password in a URL")
  func password() {
    for body in ["token_endpoint: 'https://me:s3cr3t@a/t'", "token_endpoint: 'https://s3cr3t@'"] {
      #expect(
        credentialsProblems("{ \(body), \(Self.good) }") == [
          "2:28: credentials.kinde.token_endpoint must be a URL such as https://login.example.com/oauth2/token; leave out user name and password"
        ])
    }
  }

  @Test(
    "keep a variable that holds a secret to themselves, wherever else it is used",
    arguments: ["{ env: SECRET }", "${SECRET}", "'${SECRET:-x}'"])
  func variables(secret: String) {
    let text = """
      timeouts:
        connect: ${WORD}${SECRET}
      credentials:
        kinde:
          domain: acme.kinde.com
          client_id: id
          client_secret: \(secret)
      tls:
        ca_file: /nowhere/${SECRET}
      routes: [{ name: a, match: "${SECRET}://", audience: x }]
      """
    #expect(
      problems(text) == [
        "2:12: timeouts.connect must be a duration such as 500ms or 10s, not what ${WORD}, ${SECRET} holds",
        "9:12: tls.ca_file names the file /nowhere/${SECRET}, which cannot be read: No such file or directory",
        "10:28: routes[0].match must be \(RouteProblemTests.host), not what ${SECRET} holds",
      ])
  }
}
