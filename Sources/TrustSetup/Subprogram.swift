internal import Glibc

/// Another program, which inherits our standard output and error.
struct Subprogram {
  /// The program, by path or by a name to find in PATH, and its arguments.
  let words: [String]

  init(_ words: String...) { self.words = words }

  /// The command line as a user would type it.
  var text: String {
    words.map { word in
      let isPlain = word.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"\"'\\$`&|;<>()*?[]#~!{}".utf8.contains($0) }
      return isPlain && !word.isEmpty ? word : "'\(word.replacing("'", with: "'\\''"))'"
    }.joined(separator: " ")
  }

  /// Runs the program to its end, and returns why it failed, if it did. With `quietly`, drops its output.
  func run(quietly: Bool = false) -> Failure? {
    var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
    defer { for index in unsafe arguments.indices { unsafe free(arguments[index]) } }
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    for descriptor in quietly ? [STDOUT_FILENO, STDERR_FILENO] : [] {
      unsafe posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_WRONLY, 0)
    }
    var child: pid_t = 0
    let result = unsafe posix_spawnp(&child, words[0], &actions, nil, &arguments, environ)
    guard result == 0 else { return Failure(reason: unsafe String(cString: strerror(result))) }
    var status: Int32 = 0
    while unsafe waitpid(child, &status, 0) == -1 {
      guard errno == EINTR else { return Failure(reason: unsafe String(cString: strerror(errno))) }
    }
    // WIFEXITED and WEXITSTATUS, which are macros.
    if status & 0x7F != 0 { return Failure(reason: "ended by signal \(status & 0x7F)") }
    let code = status >> 8 & 0xFF
    return code == 0 ? nil : Failure(reason: "ended with exit code \(code)")
  }

  /// Why a program failed.
  struct Failure {
    /// A few words.
    let reason: String
  }

  /// The path of the program `name`, in `directories` or else in PATH.
  static func find(_ name: String, in directories: [String] = []) -> String? {
    let path = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? "/usr/bin:/bin"
    // An ordinary user's PATH often lacks the last two.
    let all = directories + path.split(separator: ":").map(String.init) + ["/usr/sbin", "/sbin"]
    return all.map { "\($0)/\(name)" }.first { unsafe access($0, X_OK) == 0 }
  }
}
