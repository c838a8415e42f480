internal import COpenSSL
internal import Secrets

/// The certificate revocation lists of a PEM file (RFC 5280 section 5), against which certificates of clients are checked.
public struct RevocationLists: Sendable {
  /// Warnings about usable lists, each to follow the name of the file: an expired list rejects every certificate of its
  /// authority, and so does a missing one.
  public let warnings: [String]

  private let lists: [RevocationList]
  private let unlisted: Set<String>

  /// Reads the lists in `file`, in which everything must be well-formed.
  ///
  /// - Parameter authorities: the PEM file of the authorities that issued the lists; nil if it cannot be read.
  public init(file: String, authorities: String?) throws(RevocationListError) {
    let read: (lists: [RevocationList], isDamaged: Bool)
    do {
      read = try SensitiveFile.read(path: file, limit: Self.limit) { bytes, _ in RevocationList.all(inPEM: bytes) }
    } catch {
      throw RevocationListError(file: file, error.complaint(limit: "\(Self.limit >> 20) MB"))
    }
    guard !read.isDamaged else {
      throw RevocationListError(file: file, "holds a damaged revocation list; was it cut off while it was written?")
    }
    guard !read.lists.isEmpty else {
      throw RevocationListError(file: file, "holds no revocation list in PEM form (-----BEGIN X509 CRL-----)")
    }
    let lists = read.lists
    let issuers: [Certificate]
    do {
      issuers =
        try authorities.map { path throws(SensitiveFile.Failure) in
          try SensitiveFile.read(path: path, limit: Self.limit) { bytes, _ in Certificate.all(inPEM: bytes) }
        } ?? []
    } catch {
      // Without the authorities, the lists could not be checked at all.
      throw RevocationListError(
        file: file, "is for the authorities in \(authorities ?? ""), which \(error.complaint(limit: "8 MB"))")
    }
    for list in lists {
      let namesakes = issuers.filter { list.names($0) }
      guard namesakes.isEmpty || namesakes.contains(where: { list.isSigned(by: $0) }) else {
        throw RevocationListError(
          file: file, "holds a revocation list of \(list.issuer) that the authority of that name has not signed")
      }
    }
    let unlisted = issuers.filter { issuer in !lists.contains { $0.names(issuer) && $0.isSigned(by: issuer) } }
    self.lists = lists
    self.unlisted = Set(unlisted.map(\.subject))
    warnings =
      lists.compactMap(\.warning)
      + unlisted.map {
        "holds no revocation list of \($0.subject): no client certificate of that authority is accepted"
      }
  }

  /// Warnings about lists that replace `earlier`: also names the authorities that have no list any more.
  public func warnings(replacing earlier: RevocationLists) -> [String] {
    let issuers = Set(lists.map(\.issuer))
    let gone = Set(earlier.lists.map(\.issuer)).subtracting(issuers).subtracting(unlisted)
    return warnings
      + gone.sorted().map {
        "no longer holds a revocation list of \($0): no client certificate of that authority is accepted"
      }
  }

  private static let limit = 8 * 1024 * 1024

  /// Makes the TLS context that `context` points to check every certificate of a client's chain against the lists; false if
  /// there is no memory.
  package func use(inContext context: UnsafeMutableRawPointer) -> Bool {
    let store = unsafe SSL_CTX_get_cert_store(OpaquePointer(context))
    for list in lists { guard unsafe X509_STORE_add_crl(store, list.crl) == 1 else { return false } }
    return unsafe X509_STORE_set_flags(store, UInt(X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL)) == 1
  }
}

// Sendable: the list is never changed, and OpenSSL counts references to it atomically.
@safe private final class RevocationList: @unchecked Sendable {
  // Owned by this object.
  let crl: OpaquePointer

  private init(owning crl: OpaquePointer) { unsafe self.crl = crl }

  deinit { unsafe X509_CRL_free(crl) }

  static func all(inPEM pem: Span<UInt8>) -> (lists: [RevocationList], isDamaged: Bool) {
    unsafe pem.withUnsafeBytes { bytes in
      let file = unsafe BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count))
      defer { unsafe BIO_free(file) }
      var lists: [RevocationList] = []
      var isDamaged: Int32 = 0
      while let crl = unsafe copenssl_read_revocation_list(file, &isDamaged) {
        lists.append(unsafe RevocationList(owning: crl))
      }
      return (lists, isDamaged != 0 || pem.hasBrokenBoundary)
    }
  }

  var issuer: String {
    guard let text = unsafe copenssl_name_text(X509_CRL_get_issuer(crl)) else { return "" }
    defer { unsafe copenssl_free_text(text) }
    return unsafe String(cString: text)
  }

  func names(_ authority: Certificate) -> Bool {
    unsafe X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(authority.x509)) == 0
  }

  func isSigned(by authority: Certificate) -> Bool {
    defer { ERR_clear_error() }
    return unsafe X509_CRL_verify(crl, X509_get0_pubkey(authority.x509)) == 1
  }

  var warning: String? {
    // Without this field the list does not expire; OpenSSL returns 0 for a time that it cannot read.
    let hasExpired = unsafe X509_CRL_get0_nextUpdate(crl).map { unsafe X509_cmp_current_time($0) <= 0 } ?? false
    if hasExpired {
      return
        "holds a revocation list of \(issuer) that has expired: no client certificate of that authority is accepted"
    }
    guard unsafe X509_cmp_current_time(X509_CRL_get0_lastUpdate(crl)) > 0 else { return nil }
    return
      "holds a revocation list of \(issuer) that is not valid yet: no client certificate of that authority is accepted"
  }
}

extension Span<UInt8> {
  /// Whether a line begins like a PEM boundary, but is not a complete one. OpenSSL takes such a line for text between the
  /// blocks, and so a file that was cut off there for a complete one.
  fileprivate var hasBrokenBoundary: Bool {
    let wanted = Array("-----BEGIN ".utf8)
    var start = 0
    while start < count {
      var end = start
      while end < count, self[end] != UInt8(ascii: "\n") { end += 1 }
      let isLast = end == count
      var last = end
      while last > start, self[last - 1] <= UInt8(ascii: " ") { last -= 1 }
      // A last line without its line end may be a truncated boundary.
      let compared = isLast ? Swift.min(last - start, wanted.count) : wanted.count
      if compared > 0, last - start >= compared, (0..<compared).allSatisfy({ self[start + $0] == wanted[$0] }) {
        let dashes = (last - 5)..<last
        let isWhole = last - start > wanted.count + 5 && dashes.allSatisfy { self[$0] == UInt8(ascii: "-") }
        if !isWhole { return true }
      }
      start = end + 1
    }
    return false
  }
}

/// Why a file of revocation lists cannot be used.
public struct RevocationListError: Error, Hashable, CustomStringConvertible {
  /// The file.
  public let file: String
  /// What is wrong with it, to follow its name.
  public let complaint: String

  /// One sentence without its full stop.
  public var description: String { "file \(file) \(complaint)" }

  init(file: String, _ complaint: String) {
    self.file = file
    self.complaint = complaint
  }
}
