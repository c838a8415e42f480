import Foundation
import Telemetry

/// What a sink writes while `body` runs.
func output(of body: (LogSink) throws -> Void) throws -> [UInt8] {
  let file = FileManager.default.temporaryDirectory.appending(path: "telemetry-\(UUID().uuidString).log")
  guard FileManager.default.createFile(atPath: file.path, contents: nil) else { throw CocoaError(.fileWriteUnknown) }
  defer { try? FileManager.default.removeItem(at: file) }
  let handle = try FileHandle(forWritingTo: file)
  let sink = LogSink(descriptor: handle.fileDescriptor, pendingLimit: 64 * 1024 * 1024)
  try body(sink)
  guard sink.finish(within: .seconds(60)) else { throw CocoaError(.fileWriteUnknown) }
  try handle.close()
  return try [UInt8](Data(contentsOf: file))
}

/// The lines of `bytes`, each of which ends in a line feed.
func lines(of bytes: [UInt8]) throws -> [String] {
  guard bytes.isEmpty || bytes.last == UInt8(ascii: "\n") else { throw CocoaError(.fileReadCorruptFile) }
  return try bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast().map { line in
    guard let text = String(validating: line, as: UTF8.self) else { throw CocoaError(.fileReadCorruptFile) }
    return text
  }
}
