internal import ArgumentParser
internal import Control
internal import Encodings
internal import Glibc

/// `m2m-proxy upgrade`.
struct Upgrade: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Has the running proxy start the program that lies at its path now, and waits until that serves in its place.",
    discussion: """
      The new process gets the listening sockets, so that no connection is refused, and reads the configuration anew. The one \
      before it finishes what is under way. If the new one does not come to serve, the one before goes on as before.

      Exits with 0 when the new process serves, with 64 when it finds problems in the configuration, with 71 when it cannot be \
      started or does not serve in time, and with 69 when no process responds.
      """)

  @OptionGroup var file: ConfigurationOption
  @OptionGroup var socket: ControlOption

  @Option(help: ArgumentHelp("Another program than the one at the path of the running process.", valueName: "file"))
  var binary: String?

  @Option(help: "How long the new process may take until it serves, in seconds.")
  var timeout = 60

  func validate() throws { try checkSeconds(timeout) }

  func run() throws {
    var target = "/upgrade?within=\(timeout * 1000)"
    if let binary { target += "&binary=\(Self.encoded(try Self.absolute(binary)))" }
    // The process itself keeps to the time; it may wait for a reload before.
    try RunningProxy(named: file.named, control: socket.control).command(target, patience: .seconds(timeout + 30))
  }

  private static func absolute(_ path: String) throws -> String {
    if path.hasPrefix("/") { return path }
    guard let directory = unsafe getcwd(nil, 0) else {
      throw ValidationError("--binary must be an absolute path here.")
    }
    defer { unsafe free(directory) }
    return "\(unsafe String(cString: directory))/\(path)"
  }

  private static func encoded(_ text: String) -> String {
    var bytes: [UInt8] = []
    for byte in text.utf8 { PercentEncoding.encodeForForm(byte) { bytes.append($0) } }
    return String(decoding: bytes, as: UTF8.self)
  }
}
