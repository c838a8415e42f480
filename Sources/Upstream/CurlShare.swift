internal import CCurl

// Freed after the last transfer that refers to it.
/// What the transfers of one event loop have in common: DNS answers and TLS sessions.
@safe final class CurlShare {
  let handle: UnsafeMutableRawPointer

  init() throws(UpstreamError) {
    guard let handle = unsafe ccurl_make_share() else { throw .other("libcurl has no memory") }
    unsafe self.handle = handle
  }

  deinit { unsafe curl_share_cleanup(handle) }
}
