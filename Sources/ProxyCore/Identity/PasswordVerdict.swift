/// What is known about a user and a password.
enum PasswordVerdict: Sendable, Hashable {
  /// They are those of a caller.
  case right(Int)
  /// They are those of no caller.
  case wrong
  /// Nobody looked: the client has sent too many that were wrong, and may try again after so many seconds.
  case tooManyGuesses(seconds: Int)
  /// Nobody looked: too much is to be looked at already.
  case busy
}
