// Hands libFuzzer one target: `m2m-fuzz TARGET [libFuzzer's arguments]`. Built by scripts/fuzz alone.
import FuzzTargets
import Glibc

/// libFuzzer's entry for programs with a main of their own.
@_silgen_name("LLVMFuzzerRunDriver")
func runFuzzer(
  _ count: UnsafeMutablePointer<Int32>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

guard CommandLine.arguments.count > 1, let chosen = FuzzTarget(rawValue: CommandLine.arguments[1]) else {
  print("usage: m2m-fuzz TARGET [libFuzzer arguments]; TARGET is one of:")
  for target in FuzzTarget.allCases { print("  \(target.rawValue)") }
  exit(64)
}
let target = chosen

// Without the target's name. Never freed: libFuzzer keeps them.
var count = CommandLine.argc - 1
unsafe CommandLine.unsafeArgv[1] = CommandLine.unsafeArgv[0]
var arguments = unsafe CommandLine.unsafeArgv + 1
let result = unsafe runFuzzer(&count, &arguments) { bytes, count in
  let input = unsafe Array(UnsafeBufferPointer(start: bytes, count: count))
  do {
    try target.check(input)
  } catch {
    print("violated: \(error)")
    abort()
  }
  return 0
}
exit(result)
