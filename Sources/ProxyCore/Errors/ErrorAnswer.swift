/// What a client is told when its request failed: the members of an RFC 9457 problem, and the fields beside it.
struct ErrorAnswer {
  var status: Int
  var title: String
  var detail: String
  var hint: String
  /// The error type of RFC 9209 section 2.3 for `Proxy-Status`.
  var proxyStatus: String
  /// The `details` of `Proxy-Status`; empty for none.
  var proxyStatusDetails = ""
  /// Seconds after which trying again may help; nil where nothing is known.
  var retryAfter: Int?
  /// The error code of RFC 6749 section 5.2, in an answer to a token request; nil for none.
  var oauthError: String?
  /// The methods that would be served, beside 405.
  var allow = ErrorResponse.servedMethods
}
