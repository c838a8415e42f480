internal import Cryptography
public import Secrets
public import Tokens

/// Tokens in the files of a directory: encrypted, and shared by all processes of this machine that use the directory.
///
/// All work runs on a thread of its own, not on the event loops: reading and writing files waits for the disk.
public final class FileTokenStore: TokenStore, CustomReflectable {
  private let directory: StoreDirectory
  private let key: Secret?
  private let thread = StoreThread()

  /// The store in the directory at `path`, which is created if its parent exists.
  ///
  /// - Parameter key: encrypts the files; nil for a key derived from each client's secret.
  public init(path: String, key: Secret?) throws(TokenStoreProblem) {
    directory = try StoreDirectory(path: path)
    self.key = key
  }

  deinit { thread.end() }

  /// Shows the directory, but not the key.
  public var customMirror: Mirror { Mirror(self, children: ["directory": directory.path]) }

  /// The saved token for `grant`.
  public func load(_ grant: TokenGrant) async throws(TokenStoreProblem) -> StoredToken? {
    try await offTheLoop { () throws(TokenStoreProblem) in
      let name = try StoreName(grant)
      return try self.directory.read(name.token) { bytes throws(TokenStoreProblem) in
        try SealedToken.open(bytes, by: try self.keys(grant, name), context: name.digest)
      }
    }
  }

  /// Replaces the file of `grant`.
  public func save(_ token: StoredToken, for grant: TokenGrant) async throws(TokenStoreProblem) {
    try await offTheLoop { () throws(TokenStoreProblem) in
      let name = try StoreName(grant)
      let sealed = try SealedToken.seal(token, by: try self.keys(grant, name)[0], context: name.digest)
      try self.directory.write(sealed, to: name.token)
    }
  }

  /// Removes the file of `grant` if it holds `token`.
  public func drop(_ token: StoredToken, for grant: TokenGrant) async throws(TokenStoreProblem) {
    try await offTheLoop { () throws(TokenStoreProblem) in
      let name = try StoreName(grant)
      let keys = try self.keys(grant, name)
      try self.directory.remove(name.token) { bytes throws(TokenStoreProblem) in
        try SealedToken.open(bytes, by: keys, context: name.digest)?.token == token.token
      }
    }
  }

  /// `duration` is not needed: the kernel releases a lock when its holder ends.
  public func claim(
    _ grant: TokenGrant, for duration: Duration
  ) async throws(TokenStoreProblem) -> (any TokenClaim)? {
    try await offTheLoop { () throws(TokenStoreProblem) in try self.directory.lock(try StoreName(grant).lock) }
  }

  /// Adds to the sum in the file of `account`, under its lock; with 0 it only reads.
  public func count(
    _ issued: Int, for account: TokenAccount, knowing known: TokenSums, atWallSeconds seconds: Int64
  ) async throws(TokenStoreProblem) -> TokenSums {
    try await offTheLoop { () throws(TokenStoreProblem) in
      let name = try StoreName(account)
      guard issued > 0 else { return try self.sums(name) }
      let lock = try self.directory.lockSoon(name.lock)
      defer { lock.end() }
      var sums = try self.sums(name)
      sums.merge(known, atWallSeconds: seconds)
      sums.add(issued, atWallSeconds: seconds)
      try self.directory.write(SpendingFile.bytes(of: sums), to: name.spending)
      return sums
    }
  }

  private func sums(_ name: StoreName) throws(TokenStoreProblem) -> TokenSums {
    try directory.read(name.spending) { bytes in SpendingFile.sums(in: bytes) } ?? TokenSums()
  }

  /// The keys with which a file may be encrypted, at least one; the first is for new files.
  private func keys(_ grant: TokenGrant, _ name: StoreName) throws(TokenStoreProblem) -> [Secret] {
    let secrets = (key.map { [$0] } ?? grant.latestSecrets()).filter { !$0.isEmpty }
    guard !secrets.isEmpty else {
      throw TokenStoreProblem(.unusable, "There is neither token_store.key nor a client secret to derive a key from")
    }
    return try secrets.map { secret throws(TokenStoreProblem) in try SealedToken.key(from: secret, salt: name.digest) }
  }

  private func offTheLoop<R: Sendable>(
    _ work: @escaping @Sendable () throws(TokenStoreProblem) -> R
  ) async throws(TokenStoreProblem) -> R {
    try await withTaskExecutorPreference(thread) { () async throws(TokenStoreProblem) in
      try await Self.here(work)
    }
  }

  // The call itself moves the work to the preferred executor.
  @concurrent private static func here<R: Sendable>(
    _ work: @Sendable () throws(TokenStoreProblem) -> R
  ) async throws(TokenStoreProblem) -> R { try work() }
}

/// The contents of a token's file: a header of five bytes; the rest is sealed with AES-256-GCM.
///
/// The sealed part holds the time of the request in seconds since 1970 and the lifetime in nanoseconds, eight bytes each in
/// network order, and then the token. The header and the name of the file are authenticated too.
enum SealedToken {
  /// The maximum length of a file, in bytes.
  static let longest = header.count + AES256GCM.overhead + timesCount + AccessToken.longestToken

  // "M2MT", and the version of the format.
  private static let header: [UInt8] = [0x4D, 0x32, 0x4D, 0x54, 1]
  private static let timesCount = 16
  private static let purpose = Array("m2m-proxy token store 1".utf8)

  /// A key for the file whose name has the digest `salt`.
  static func key(from secret: Secret, salt: [UInt8]) throws(TokenStoreProblem) -> Secret {
    do {
      return try SHA256.derive(AES256GCM.keyCount, from: secret, salt: salt, info: purpose)
    } catch { throw TokenStoreProblem(.unusable, "\(error)") }
  }

  /// The contents of a file for `token`.
  static func seal(_ token: StoredToken, by key: Secret, context: [UInt8]) throws(TokenStoreProblem) -> [UInt8] {
    let (seconds, attoseconds) = token.lifetime.components
    let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let lifetime = overflow ? Int64.max : whole + attoseconds / 1_000_000_000
    let plain = Secret(count: timesCount + token.token.count) { bytes in
      for index in 0..<8 {
        bytes[index] = UInt8(truncatingIfNeeded: token.requestedAt >> (56 - 8 * index))
        bytes[8 + index] = UInt8(truncatingIfNeeded: lifetime >> (56 - 8 * index))
      }
      token.token.withBytes { token in
        for index in token.indices { bytes[timesCount + index] = token[index] }
      }
    }
    do { return header + (try AES256GCM.seal(plain, by: key, context: header + context)) } catch {
      throw TokenStoreProblem(.unusable, "\(error)")
    }
  }

  /// The token in `bytes`; nil if they are not such a file, or if none of `keys` opens it.
  static func open(_ bytes: [UInt8], by keys: [Secret], context: [UInt8]) throws(TokenStoreProblem) -> StoredToken? {
    guard bytes.starts(with: header) else { return nil }
    let sealed = Array(bytes.dropFirst(header.count))
    for key in keys {
      do {
        guard let plain = try AES256GCM.open(sealed, by: key, context: header + context) else { continue }
        return plain.withBytes(token)
      } catch { throw TokenStoreProblem(.unusable, "\(error)") }
    }
    return nil
  }

  private static func token(_ plain: Span<UInt8>) -> StoredToken? {
    guard plain.count > timesCount else { return nil }
    func number(at start: Int) -> Int64 { (start..<start + 8).reduce(0) { $0 << 8 | Int64(plain[$1]) } }
    return StoredToken(
      token: Secret(plain.extracting(timesCount...)), requestedAt: number(at: 0),
      lifetime: .nanoseconds(number(at: 8)))
  }
}

/// The contents of an account's file: one line for the format, then one for each period with its number and count. It is not
/// encrypted: the count has to continue after a client secret is replaced.
enum SpendingFile {
  private static let title = "m2m-proxy tokens issued 1"

  static func bytes(of sums: TokenSums) -> [UInt8] {
    let lines = TokenPeriod.allCases.compactMap { period in
      sums.sums[period].map { "\(period.rawValue) \($0.number) \($0.count)" }
    }
    return Array(([title] + lines).joined(separator: "\n").utf8) + [UInt8(ascii: "\n")]
  }

  /// The sums in `bytes`; nil if they do not have the form of ``bytes(of:)``.
  static func sums(in bytes: [UInt8]) -> TokenSums? {
    let text = String(decoding: bytes, as: UTF8.self)
    guard text.hasSuffix("\n") else { return nil }
    let lines = text.dropLast().split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count == 1 + TokenPeriod.allCases.count, lines[0] == title else { return nil }
    var sums: [TokenPeriod: TokenSums.Sum] = [:]
    for line in lines.dropFirst() {
      let words = line.split(separator: " ", omittingEmptySubsequences: false)
      guard words.count == 3, let period = TokenPeriod(rawValue: String(words[0])), sums[period] == nil,
        let number = Int64(words[1]), let count = Int(words[2]), count >= 0
      else { return nil }
      sums[period] = TokenSums.Sum(number: number, count: count)
    }
    return TokenSums(sums)
  }
}
