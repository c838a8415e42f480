/// Why a secret could not be had: where it was to come from and what is wrong there, never what it contains.
public struct SecretError: Error, Equatable, CustomStringConvertible {
  /// What went wrong.
  public enum Reason: Sendable, Equatable {
    /// The file cannot be opened or read; the text is the system's.
    case unreadable(String)
    /// A file was expected where a directory is.
    case directory
    /// A file was expected where a pipe, a socket or a device is.
    case notRegular
    /// There is more than ``SecretSource/sizeLimit`` bytes.
    case tooLarge
    /// The environment variable is not set.
    case notSet
    /// There is nothing, or nothing but line ends.
    case empty
    /// A control byte (0-31 or 127) stands inside: several lines, or no text at all.
    case controlByte(UInt8)
  }

  /// The source in words, such as `file /run/secrets/x`.
  public let source: String
  /// What is wrong with it.
  public let reason: Reason

  /// One sentence, such as `file /run/secrets/x cannot be read: No such file or directory`.
  public var description: String { "\(source) \(complaint)" }

  /// What is wrong, to follow the name of the source: `cannot be read: No such file or directory`.
  public var complaint: String {
    switch reason {
    case .unreadable(let text): "cannot be read: \(text)"
    case .directory: "is a directory; name the file in it"
    case .notRegular: "is not a regular file"
    case .tooLarge: "holds more than \(SecretSource.sizeLimit / 1024) KB, which is no secret"
    case .notSet: "is not set"
    case .empty: "is empty"
    case .controlByte(let byte) where byte == 10 || byte == 13: "holds more than one line; a secret is a single one"
    case .controlByte(let byte): "holds the control byte \(byte), which cannot be part of a secret"
    }
  }
}

extension SecretError.Reason {
  /// `failure`, met by a process of the user `uid`: who may not read a file asks first who it was that tried.
  init(_ failure: SensitiveFile.Failure, uid: UInt32) {
    switch failure {
    case .unreadable(let reason, let permission):
      self = .unreadable(permission ? "\(reason) (running as uid \(uid))" : reason)
    case .directory: self = .directory
    case .notRegular: self = .notRegular
    case .tooLarge: self = .tooLarge
    }
  }
}
