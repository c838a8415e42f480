import Glibc

extension SensitiveFile.Failure {
  /// What is wrong with a file, to follow its name; `limit` is the most it may hold.
  package func complaint(limit: String) -> String {
    switch self {
    case .unreadable(let reason, permission: true): "cannot be read: \(reason) (running as uid \(geteuid()))"
    case .unreadable(let reason, permission: false): "cannot be read: \(reason)"
    case .directory: "is a directory"
    case .notRegular: "is not a regular file"
    case .tooLarge: "is larger than \(limit)"
    }
  }
}
