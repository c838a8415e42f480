internal import CCurl

extension UpstreamError {
  /// The error for a transfer that ended with `code`; `detail` is what libcurl wrote about it, if it did.
  init(_ code: CURLcode, detail: String) {
    let text = detail.isEmpty ? unsafe String(cString: curl_easy_strerror(code)) : detail
    self =
      switch code {
      case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .dns(text)
      case CURLE_COULDNT_CONNECT: .connect(text)
      case CURLE_OPERATION_TIMEDOUT: .connectTimeout(text)
      case CURLE_PEER_FAILED_VERIFICATION: .certificate(text)
      case CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CIPHER, CURLE_SSL_CERTPROBLEM, CURLE_SSL_ISSUER_ERROR,
        CURLE_USE_SSL_FAILED, CURLE_SSL_ENGINE_INITFAILED, CURLE_SSL_CACERT_BADFILE:
        .tls(text)
      case CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE: .broken(text)
      default: .other(text)
      }
  }
}
