internal import Tokens

extension TokenFailure {
  /// How to fix it: for Kinde the step in its dashboard, for other servers the same in general terms.
  var hint: String {
    switch cause.root {
    case .refused(let refusal) where refusal.code == .invalidClient && clientHint != nil:
      clientHint ?? ""
    case .refused(let refusal):
      request.provider == .kinde ? kindeHint(for: refusal) : genericHint(for: refusal)
    case .malformed(.expiredToken):
      "Check the clock of the machine that m2m-proxy runs on, and the token lifetime that \(host) is set to."
    case .malformed(.unsupportedTokenType):
      "Only Bearer tokens (RFC 6750) can be used; change the token type that \(host) issues to this client."
    case .malformed(.tokenTooLong):
      "Have \(host) put less into the tokens that it issues to this client: fewer scopes, roles or other claims."
    case .malformed(.unsuitableToken):
      "Change the format of the tokens that \(host) issues to this client, to JWT for example."
    case .malformed(.undecodable):
      "Let \(host), or the proxy in front of it, send its replies as gzip or deflate, or without a Content-Encoding."
    case .malformed(.notHTTP(.http2)):
      "Use https in \(settings).token_endpoint, where HTTP/2 is negotiated, or let \(host) speak HTTP/1.1 as well."
    case .malformed(.notHTTP(.tls)):
      "Use https in \(settings).token_endpoint."
    case .malformed, .redirected:
      "Check \(addressSettings): it must be the token endpoint itself."
    case .serverError:
      request.provider == .kinde
        ? "The proxy retries by itself. If this lasts, see Kinde's status page."
        : "The proxy retries by itself. If this lasts, see the log of \(host)."
    case .throttled:
      "The proxy retries by itself. If this happens often, another program requests tokens with the same client: "
        + "give m2m-proxy a client of its own."
    case .nameNotResolved:
      "Check \(addressSettings) for a typing error, and the name server of the machine that m2m-proxy runs on."
    case .unreachable, .timedOut:
      "Check \(addressSettings), and that the machine m2m-proxy runs on may connect to \(host): firewall, network, "
        + "name server."
    case .tls:
      "Check \(addressSettings), host and port, and the clock of this machine. If \(host) has a certificate of a private authority, "
        + "name that in \(settings).tls.ca_file; one that has expired, or is not for this host, has to be renewed there."
    case .unusable:
      "Fix or renew the file, as a whole and in one step; it is read again with each attempt."
    case .budgetSpent:
      "Raise \(settings).budget, or find out what the tokens were needed for: the reason is in each event=token line "
        + "of the log."
    case .backingOff:
      preconditionFailure("the root of a cause is no back-off")
    }
  }

  /// What to check if the server rejects a client that has no secret.
  private var clientHint: String? {
    switch request.authentication {
    case .clientSecretPost, .clientSecretBasic, .clientSecretBasicRaw:
      nil
    case .clientAssertion:
      "Compare iss, sub and aud of the assertion in \(settings).client_assertion\(clientLines) with what \(host) accepts for "
        + "client_id, and check that it knows the keys of the issuer."
    case .privateKeyJWT:
      "Compare the public key of \(settings).private_key, key_id and client_id\(clientLines) with what \(host) has registered, "
        + "assertion_audience with what it calls itself, and the clock of this machine with its."
    case .tlsClientAuth:
      "Compare the subject of \(settings).client_certificate and client_id\(clientLines) with what \(host) has registered."
    }
  }

  private var host: String { request.endpointHost }

  private var settings: String { "credentials.\(request.credentials)" }

  private var addressSettings: String {
    switch request.provider {
    case .kinde: "\(settings).domain (or token_endpoint)"
    case .generic: "\(settings).token_endpoint"
    }
  }

  /// The lines of proxy.conf with the client, to follow its settings.
  private var clientLines: String { request.places.clientLines.map { " (\($0))" } ?? "" }

  /// That proxy.conf may be wrong instead, to follow what may be wrong at the server.
  private func orCorrect(_ place: String?, or otherwise: String = "") -> String {
    place.map { ", or correct \($0)" } ?? otherwise
  }

  /// The route, to follow "in".
  private var route: String { request.places.route ?? "the route" }

  private var listedScopes: String { request.scopes.map { " \($0)" }.joined() }

  private func kindeHint(for refusal: OAuthRefusal) -> String {
    switch refusal.code {
    case .invalidClient:
      return
        "In Kinde, open the M2M application and compare its client id and client secret with \(settings)\(clientLines). "
        + "A secret that was rotated, or an application that was deleted, no longer works."
    case .unauthorizedClient, .accessDenied:
      return
        "In Kinde, open the M2M application, tab APIs, and authorise it for this API\(orCorrect(request.places.audience))."
    case .invalidScope where request.scopes.isEmpty:
      return "In Kinde, open the M2M application, tab APIs, and assign scopes of the API to it."
    case .invalidScope:
      return "In Kinde, define the scopes\(listedScopes) on the API; then open the M2M application, tab APIs, and "
        + "assign them to it\(orCorrect(request.places.scopes))."
    case .invalidRequest, .invalidTarget:
      return audienceHint
    case .invalidGrant, .unsupportedGrantType:
      return "In Kinde, check that \(settings).client_id belongs to an application of the type Machine to Machine."
    case .serverError, .temporarilyUnavailable:
      return "The proxy retries by itself. If this lasts, see Kinde's status page."
    case .other:
      return hintForStatus(refusal.status)
    }
  }

  private var audienceHint: String {
    guard let audience = request.audience else {
      return "Kinde needs an audience: set audience in \(route) to the identifier of an API registered in Kinde."
    }
    if audience.hasSuffix(".kinde.com/api/v1") || audience.hasSuffix(".kinde.com/api/") {
      return
        "The audience of Kinde's management API ends in /api: correct \(request.places.audience ?? "audience in the route")."
    }
    let setting = request.places.audience.map { "correct \($0)," } ?? "set audience in the route"
    return
      "In Kinde, under APIs, register an API with the identifier \(audience), or \(setting) to the identifier it has there."
  }

  private func genericHint(for refusal: OAuthRefusal) -> String {
    switch refusal.code {
    case .invalidClient:
      "Compare client_id and client_secret of \(settings)\(clientLines) with what \(host) has registered, and check that the "
        + "client may use \(settings).authentication."
    case .unauthorizedClient, .accessDenied:
      "Let the client use the client credentials grant\(request.audience.map { " for \($0)" } ?? "") at "
        + "\(host)\(orCorrect(request.places.audience))."
    case .invalidScope where request.scopes.isEmpty:
      "Assign scopes to the client at \(host); if that wants them named, set scopes in \(route)."
    case .invalidScope:
      "Define the scopes\(listedScopes) at \(host) and assign them to the client"
        + "\(orCorrect(request.places.scopes, or: ", or take them out of the route"))."
    case .invalidTarget where !request.resources.isEmpty:
      "Check that \(host) knows the resource \(request.resources.joined(separator: " ")), and that the client may use "
        + "it\(orCorrect(request.places.resources))."
    case .invalidRequest, .invalidTarget:
      request.audience.map { "Check that \(host) knows the audience \($0)\(orCorrect(request.places.audience))." }
        ?? "Some servers need an audience or scopes: set them in \(route)."
    case .invalidGrant, .unsupportedGrantType:
      "Let the client use the client credentials grant at \(host)."
    case .serverError, .temporarilyUnavailable:
      "The proxy retries by itself. If this lasts, see the log of \(host)."
    case .other:
      hintForStatus(refusal.status)
    }
  }

  private func hintForStatus(_ status: Int) -> String {
    switch status {
    case 401: "Compare client_id and client_secret of \(settings)\(clientLines) with what \(host) has registered."
    case 403:
      "Compare client_id and client_secret of \(settings)\(clientLines) with what \(host) has registered; without an OAuth error it may as "
        + "well be a firewall in front of \(host) that rejects this machine or this client."
    case 404, 405, 410: "Check \(addressSettings): there is no token endpoint at this address."
    default: "Check \(addressSettings), and the audience and scopes of the route, against what \(host) expects."
    }
  }
}

extension TokenStoreProblem {
  /// The consequences, and how to fix it.
  var hint: String {
    switch kind {
    case .damaged:
      "It is not used again. If client secret and token_store.key are as before, look at the disk."
    case .distrusted: "A token is fetched in its place. Look at this machine's clock."
    case .locked: "A token is still fetched. Look for another m2m-proxy that is stopped or hangs."
    case .stalled:
      "Tokens are in memory meanwhile, and the store is tried again after 30 s, once the operation has ended. Look at the "
        + "disk that the directory of token_store is on: it has to be a local one."
    case .unusable: "Tokens are kept in memory meanwhile. The directory of token_store must be writable, and not full."
    }
  }
}
