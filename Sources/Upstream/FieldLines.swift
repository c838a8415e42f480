internal import CCurl
internal import Glibc

/// Field lines for libcurl, in memory that is wiped afterwards: they may hold credentials.
@safe final class FieldLines {
  private(set) var list: UnsafeMutablePointer<curl_slist>?

  init(_ lines: [String]) {
    for line in lines { unsafe list = curl_slist_append(list, line) }
  }

  deinit {
    var line = unsafe list
    while let current = unsafe line {
      unsafe explicit_bzero(current.pointee.data, strlen(current.pointee.data))
      unsafe line = current.pointee.next
    }
    unsafe curl_slist_free_all(list)
  }
}
