import Foundation

/// The parser of the Python package prometheus_client: an independent reader of the exposition.
///
/// Used is the interpreter that `PROMETHEUS_CLIENT_PYTHON` names, the `python3` of the path if it has the package, or
/// a virtual environment in the build folder into which it can be installed.
enum PrometheusClient {
  private static let python: URL? = {
    var candidates = [locate("python3")]
    if let named = ProcessInfo.processInfo.environment["PROMETHEUS_CLIENT_PYTHON"] {
      candidates.insert(URL(fileURLWithPath: named), at: 0)
    }
    let environment = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appending(path: "../../../.build/prometheus-client").standardized
    candidates.append(environment.appending(path: "bin/python3"))
    for case let candidate? in candidates where hasPackage(candidate) { return candidate }
    guard let python = locate("python3"), succeeds(python, ["-m", "venv", environment.path]) else { return nil }
    let installed = environment.appending(path: "bin/python3")
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "prometheus_client"]
    return succeeds(installed, install) && hasPackage(installed) ? installed : nil
  }()

  static var isAvailable: Bool { python != nil }

  /// The samples of `exposition` by name and labels, as the parser reads them; labels and values as Python prints them.
  static func samples(of exposition: [UInt8]) throws -> [Sample] {
    let program = """
      import io, json, sys
      from prometheus_client.parser import text_fd_to_metric_families
      text = sys.stdin.buffer.read().decode("utf-8", "strict")
      print(json.dumps([
        {"family": family.name, "type": family.type, "help": family.documentation,
         "name": sample.name, "labels": sample.labels, "value": repr(float(sample.value))}
        for family in text_fd_to_metric_families(io.StringIO(text, newline="\\n")) for sample in family.samples]))
      """
    guard let python, let output = run(python, ["-c", program], input: Data(exposition)) else {
      throw CocoaError(.executableLoad)
    }
    return try JSONDecoder().decode([Sample].self, from: output)
  }

  struct Sample: Decodable, Equatable {
    var family: String
    var type: String
    var help: String
    var name: String
    var labels: [String: String]
    var value: String
  }

  private static func locate(_ program: String) -> URL? {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
      .map { URL(fileURLWithPath: String($0)).appending(path: program) }
      .first { FileManager.default.isExecutableFile(atPath: $0.path) }
  }

  private static func hasPackage(_ python: URL) -> Bool {
    succeeds(python, ["-c", "import prometheus_client.parser"])
  }

  private static func succeeds(_ program: URL, _ arguments: [String]) -> Bool {
    run(program, arguments, input: Data()) != nil
  }

  // The output, or nil if the program cannot be run or fails.
  private static func run(_ program: URL, _ arguments: [String], input: Data) -> Data? {
    let process = Process()
    let (toProcess, fromProcess) = (Pipe(), Pipe())
    process.executableURL = program
    process.arguments = arguments
    process.standardInput = toProcess
    process.standardOutput = fromProcess
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return nil }
    // A pipe holds more than any exposition of these tests.
    try? toProcess.fileHandleForWriting.write(contentsOf: input)
    try? toProcess.fileHandleForWriting.close()
    let output = (try? fromProcess.fileHandleForReading.readToEnd()) ?? Data()
    process.waitUntilExit()
    return process.terminationStatus == 0 ? output : nil
  }
}
