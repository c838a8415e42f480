/// What mends it when a parent proxy answers CONNECT with an error.
enum ParentProxyRefusal {
  /// One sentence about `status`.
  static func hint(for status: Int) -> String {
    switch status {
    case 401, 407: "Check user and password of parent_proxy: they are missing, or not the ones that it knows."
    case 403, 405: "Its rules have to allow CONNECT from this machine to this host and port."
    case 500...: "It could not reach the host itself: its log says why."
    default: "Is parent_proxy an HTTP proxy that knows CONNECT?"
    }
  }
}
