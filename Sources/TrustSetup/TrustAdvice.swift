/// What to do so that programs trust an authority, for each kind of them.
public struct TrustAdvice {
  /// Lines for a terminal.
  public let text: String

  private static let exported = "/etc/ssl/m2m-proxy-ca.pem"

  /// For the authority whose certificate is in `file`, a path from the root; nil where it has none of its own.
  ///
  /// - Parameter command: the command line that has m2m-proxy do some words with this authority.
  public init(file: String?, keystore: JavaKeystore?, command: (String) -> String) {
    let path = Subprogram(file ?? Self.exported).text
    let cacerts = keystore.map { "-keystore \(Subprogram($0.file).text)" } ?? "-cacerts"
    let bundle = "/etc/ssl/m2m-proxy-bundle.pem"
    var lines =
      file == nil ? ["Only the root, for the commands below", "  \(command("ca export --out \(path)"))", ""] : []
    for trust in SystemTrust.allCases {
      lines += [
        "\(trust.name): all programs that use the system's authorities", "  \(command("ca trust --apply")), or:",
      ]
      lines += ["  \(command("ca export --out \(trust.file)")) && \(trust.program)", ""]
    }
    lines += [
      "Java: the keystore of the runtime, unless the system fills it (Debian: package ca-certificates-java)",
      "  keytool -importcert -noprompt \(cacerts) -storepass changeit -alias \(JavaKeystore.alias) -file \(path)", "",
      "Node.js: its own authorities, and this one",
      "  NODE_EXTRA_CA_CERTS=\(path)", "",
      "Others take one file in place of all authorities. With the system's in it, they still trust those:",
      "  \(command("ca bundle --out \(bundle)"))", "",
      "Python's requests (certifi otherwise)",
      "  REQUESTS_CA_BUNDLE=\(bundle)", "",
      "Python's httpx (certifi otherwise), urllib and aiohttp, Ruby and Go",
      "  SSL_CERT_FILE=\(bundle)", "",
      "curl, wget, git, Perl's LWP and PHP's curl, where they do not use the system's",
      "  CURL_CA_BUNDLE=\(bundle)      or curl --cacert \(path)",
      "  wget --ca-certificate=\(bundle)", "  GIT_SSL_CAINFO=\(bundle)",
      "  PERL_LWP_SSL_CA_FILE=\(bundle)", "  php.ini: curl.cainfo = \(bundle)",
    ]
    text = lines.joined(separator: "\n")
  }
}
