import Glibc

/// Where a secret comes from; kept beside the secret, so that it can be read again after a rotation.
public enum SecretSource: Sendable, Equatable {
  /// A file, read whole; CRs and LFs at its end do not count.
  case file(path: String)
  /// An environment variable.
  case environment(name: String)
  /// The secret itself, as written in proxy.conf.
  case inline(Secret)

  /// The most bytes a secret may have.
  public static let sizeLimit = 64 * 1024

  /// Gets the secret: reads the file, or looks the variable up in `environment`.
  public func read(environment: [String: String]) throws(SecretError) -> Secret {
    switch self {
    case .file(let path):
      return try checked(readFile(path))
    case .environment(let name):
      guard let value = environment[name] else { throw failure(.notSet) }
      return try checked(Secret(trimmingLineEnds: value.utf8Span.span))
    case .inline(let secret):
      return try checked(secret)
    }
  }

  private func readFile(_ path: String) throws(SecretError) -> Secret {
    do {
      return try SensitiveFile.read(path: path, limit: Self.sizeLimit) { bytes, _ in Secret(trimmingLineEnds: bytes) }
    } catch {
      throw failure(SecretError.Reason(error, uid: geteuid()))
    }
  }

  private func checked(_ secret: Secret) throws(SecretError) -> Secret {
    guard !secret.isEmpty else { throw failure(.empty) }
    guard secret.count <= Self.sizeLimit else { throw failure(.tooLarge) }
    let control: UInt8? = secret.withBytes { bytes in
      for index in bytes.indices where bytes[index] < 0x20 || bytes[index] == 0x7F { return bytes[index] }
      return nil
    }
    if let control { throw failure(.controlByte(control)) }
    return secret
  }

  private func failure(_ reason: SecretError.Reason) -> SecretError {
    SecretError(source: description, reason: reason)
  }
}

extension SecretSource: CustomStringConvertible {
  /// The source in words: `file /run/secrets/x`, `environment variable X` or `written in proxy.conf`.
  public var description: String {
    switch self {
    case .file(let path): "file \(path)"
    case .environment(let name): "environment variable \(name)"
    case .inline: "written in proxy.conf"
    }
  }

  /// ``description``, and for a file that exists its mode as it is now: `file /run/secrets/x (mode 0400)`.
  public var descriptionWithMode: String {
    guard let mode = fileMode else { return description }
    let octal = String(mode, radix: 8)
    return "\(description) (mode \(String(repeating: "0", count: max(0, 4 - octal.count)))\(octal))"
  }

  /// The permission bits of the file as they are now; nil when there is no file, or it cannot be examined.
  public var fileMode: UInt32? {
    guard case .file(let path) = self else { return nil }
    return SensitiveFile.mode(path: path)
  }
}
