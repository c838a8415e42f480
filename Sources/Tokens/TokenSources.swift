import Locks

/// The token sources of a process: one for all routes that send the same request with the same secret.
public final class TokenSources: Sendable, CustomReflectable {
  private let environment: TokenEnvironment
  private let sources = Monitor<[TokenRequestKey: [TokenSource]]>([:])

  /// No sources yet; those that come share `environment`.
  public init(environment: TokenEnvironment) { self.environment = environment }

  /// The source for `grant`, made when there is none yet. Its messages name the credentials that came first.
  public func source(for grant: TokenGrant) -> TokenSource {
    sources.withLock { sources in
      if let known = sources[grant.key]?.first(where: { $0.grant.sendsTheSame(as: grant) }) { return known }
      let source = TokenSource(grant: grant, environment: environment)
      sources[grant.key, default: []].append(source)
      return source
    }
  }

  /// Shows nothing of what the sources hold.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}
