/// What becomes of requests that a browser sends on behalf of a web page.
public enum BrowserRequests: String, Sendable, CaseIterable {
  /// They are served like any other.
  case allow
  /// They are refused: the page may be anybody's.
  case refuse
}
