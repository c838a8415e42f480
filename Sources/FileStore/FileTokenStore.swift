public import Secrets
public import Tokens

/// Tokens in files of a directory: encrypted, and shared by all processes of this machine that use the directory.
///
/// Everything is done off the event loops: writing a file waits for the disk.
public final class FileTokenStore: TokenStore, CustomReflectable {
  private let directory: StoreDirectory
  private let key: Secret?

  /// The store in the directory at `path`, which is made if it is missing (and the one above it is not).
  ///
  /// - Parameter key: what the files are encrypted with; nil for a key derived from each client's secret.
  public init(path: String, key: Secret?) throws(TokenStoreProblem) {
    directory = try StoreDirectory(path: path)
    self.key = key
  }

  /// Shows where it is, not the key.
  public var customMirror: Mirror { Mirror(self, children: ["directory": directory.path]) }

  /// What was saved for `grant`.
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

  /// `duration` is of no use here: the kernel gives a lock back when its holder ends.
  public func claim(
    _ grant: TokenGrant, for duration: Duration
  ) async throws(TokenStoreProblem) -> (any TokenClaim)? {
    try await offTheLoop { () throws(TokenStoreProblem) in try self.directory.lock(try StoreName(grant).lock) }
  }

  /// Adds up in the file of `account`, under its lock; with 0 it only reads.
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

  /// The keys that a file may be encrypted with; the first is the one for new files. There is at least one.
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
    try await withTaskExecutorPreference(globalConcurrentExecutor) { () async throws(TokenStoreProblem) in
      try await Self.here(work)
    }
  }

  // Being called is what moves the work to the executor that is preferred.
  @concurrent private static func here<R: Sendable>(
    _ work: @Sendable () throws(TokenStoreProblem) -> R
  ) async throws(TokenStoreProblem) -> R { try work() }
}
