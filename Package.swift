// swift-tools-version: 6.3
import PackageDescription

let strict: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  .strictMemorySafety(),
  .enableExperimentalFeature("Lifetimes"),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  // Release builds only; both save instructions per request: the first flag a third (docs/decisions/0005-exclusivity.md), the
  // second a twentieth.
  .unsafeFlags(["-enforce-exclusivity=unchecked", "-cross-module-optimization"], .when(configuration: .release)),
]

// For the C files in release builds: libc checks buffer sizes, and a stack overflow ends the process.
let guarded: [CSetting] = [
  .define("_FORTIFY_SOURCE", to: "3", .when(configuration: .release)),
  .unsafeFlags(["-fstack-protector-strong", "-fstack-clash-protection"], .when(configuration: .release)),
]

// In release builds: bind symbols of libraries at start, then make the tables read-only. Shipped builds also omit the RUNPATH
// that SwiftPM adds (--disable-local-rpath). scripts/check-binary verifies the result.
let bound: [LinkerSetting] = [
  .unsafeFlags(
    ["-Xlinker", "-z", "-Xlinker", "relro", "-Xlinker", "-z", "-Xlinker", "now"], .when(configuration: .release))
]

// libgnutls.so looks up this function in the program that loads it; Sources/CCurl/CCurl.c says why.
let withoutGnuTLS: [LinkerSetting] = [
  .unsafeFlags(["-Xlinker", "--export-dynamic-symbol=_gnutls_global_init_skip"])
]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let package = Package(
  name: "kinde-m2m-proxy",
  products: [
    .executable(name: "m2m-proxy", targets: ["m2m-proxy"]),
    .executable(name: "m2m-sandbox", targets: ["m2m-sandbox"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
  ],
  targets: [
    // C libraries, each behind a shim that says why it exists.
    .target(name: "CLinux", cSettings: guarded),
    .target(name: "CCurl", cSettings: guarded, linkerSettings: [.linkedLibrary("curl")]),
    .target(name: "COpenSSL", cSettings: guarded, linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
    .target(name: "CYAML", cSettings: guarded, linkerSettings: [.linkedLibrary("yaml")]),
    .target(name: "CStart", cSettings: guarded),

    // Leaves: each depends only on the modules named here.
    module("Encodings"),
    module("Addresses", ["Encodings"]),
    module("Bytes"),
    module("Locks"),
    module("Secrets", ["CLinux", "Locks", systemPackage]),
    module("Cryptography", ["COpenSSL", "Encodings", "Secrets"]),
    module("HTTPWire", ["Addresses", "Bytes", "Encodings"]),
    module("ProxyProtocol", ["Addresses"]),
    module("Outbound", ["Secrets"]),
    module("Configuration", ["Addresses", "CYAML", "Cryptography", "Encodings", "Outbound", "Secrets"]),
    module("Routing", ["Addresses", "Configuration", "Encodings", "HTTPWire"]),
    module("Telemetry", ["Bytes", "CLinux", "Encodings", "Locks", logging]),
    module("Tokens", ["Cryptography", "Encodings", "Locks", "Secrets"]),
    module("FileStore", ["CLinux", "Cryptography", "Encodings", "Locks", "Secrets", "Tokens", systemPackage]),
    module("Reactor", ["Bytes", "CLinux", "Locks", heap, systemPackage]),

    module("SecureStreams", ["Bytes", "CLinux", "COpenSSL", "Reactor", systemPackage]),
    module(
      "Upstream",
      [
        "Addresses", "Bytes", "CCurl", "CLinux", "COpenSSL", "Cryptography", "Locks", "Outbound", "Reactor", "Secrets",
        "SecureStreams", deque, systemPackage,
      ]),
    module(
      "Interception",
      [
        "Addresses", "Bytes", "COpenSSL", "CLinux", "Cryptography", "Locks", "Reactor", "Secrets", "SecureStreams",
        systemPackage,
      ]),
    module(
      "Callers",
      [
        "Addresses", "Bytes", "Configuration", "Cryptography", "Encodings", "Locks", "Reactor", "Secrets", "Telemetry",
        deque,
        systemPackage,
      ]),
    module("TrustSetup", ["Cryptography", "Secrets"]),
    module("HTTPService", ["Addresses", "Bytes", "Encodings", "HTTPWire", "Reactor", systemPackage]),
    module("Admin", ["HTTPService", "Reactor", systemPackage]),
    module("Control", ["CLinux", "Cryptography", "Encodings", "HTTPService", "HTTPWire", "Reactor", systemPackage]),
    module("Sandbox", ["Cryptography", "Encodings", "HTTPService", "Locks", "Reactor", systemPackage]),
    module(
      "ProxyCore",
      [
        "Addresses", "Admin", "Bytes", "Callers", "CLinux", "Configuration", "Control", "Cryptography", "Encodings",
        "FileStore", "HTTPWire", "Interception", "Locks", "Outbound", "ProxyProtocol", "Reactor", "Routing", "Secrets",
        "Telemetry",
        "Tokens", "Upstream", deque, systemPackage,
      ]),

    .executableTarget(
      name: "m2m-proxy",
      dependencies: [
        "Configuration", "Control", "CStart", "Cryptography", "Encodings", "Interception", "Locks", "Outbound",
        "ProxyCore",
        "Reactor", "Secrets", "Telemetry", "TrustSetup", argumentParser, logging, systemPackage,
      ],
      swiftSettings: strict, linkerSettings: bound + withoutGnuTLS),
    .executableTarget(
      name: "m2m-sandbox", dependencies: ["Reactor", "Sandbox", argumentParser, systemPackage], swiftSettings: strict,
      linkerSettings: bound),

    // Sockets and loops for tests, without sleeping.
    .target(
      name: "LoopbackTesting", dependencies: ["CLinux", "Reactor"], path: "Tests/LoopbackTesting",
      swiftSettings: strict),

    // Random numbers that are the same in every run.
    .target(name: "SeededRandom", path: "Tests/SeededRandom", swiftSettings: strict),
    // Delivers messages in pieces, and records the outcome.
    .target(
      name: "Deliveries", dependencies: ["HTTPWire", "SeededRandom"], path: "Tests/Deliveries", swiftSettings: strict),
    // Keys and certificates that protect nothing: for tests.
    .target(name: "ExampleKeys", path: "Tests/ExampleKeys", swiftSettings: strict),
    .target(name: "GeneratedDocuments", path: "Tests/GeneratedDocuments", swiftSettings: strict),

    // What must hold for any input, for libFuzzer (scripts/fuzz) and for the tests that replay Tests/Corpus.
    .target(
      name: "FuzzTargets",
      dependencies: [
        "Addresses", "Bytes", "Configuration", "Deliveries", "HTTPWire", "Interception", "Locks", "ProxyProtocol",
        "Routing", "Secrets", "Tokens",
      ],
      path: "Tests/FuzzTargets", swiftSettings: strict),

    tests("AddressesTests", ["Addresses"]),
    tests("BytesTests", ["Bytes"]),
    tests("EncodingsTests", ["Encodings", "SeededRandom"]),
    tests("LocksTests", ["Locks"]),
    tests("SecretsTests", ["Locks", "Secrets", systemPackage]),
    tests("CryptographyTests", ["Cryptography", "Encodings", "ExampleKeys", "Secrets"]),
    tests("HTTPWireTests", ["Bytes", "Deliveries", "HTTPWire", "SeededRandom"]),
    tests("ProxyProtocolTests", ["Addresses", "ProxyProtocol"]),
    tests("RoutingTests", ["Addresses", "Configuration", "FuzzTargets", "HTTPWire", "Routing", "SeededRandom"]),
    tests(
      "ConfigurationTests",
      [
        "Addresses", "Configuration", "Cryptography", "ExampleKeys", "GeneratedDocuments", "Outbound", "Secrets",
        "SeededRandom",
      ]),
    tests(
      "CallersTests",
      [
        "Bytes", "Callers", "Configuration", "Cryptography", "Encodings", "Locks", "Reactor", "Secrets", "Telemetry",
        logging,
      ]),
    tests("TelemetryTests", ["Bytes", "GeneratedDocuments", "Locks", "Telemetry", logging, "SeededRandom"]),
    tests("TokensTests", ["Cryptography", "Encodings", "ExampleKeys", "Locks", "Tokens", "Secrets", "SeededRandom"]),
    tests("FileStoreTests", ["FileStore", "Locks", "Reactor", "Secrets", "Tokens"]),
    tests("ReactorTests", ["Bytes", "CLinux", "LoopbackTesting", "Reactor", systemPackage]),
    tests(
      "UpstreamTests",
      [
        "Addresses", "Bytes", "CCurl", "Locks", "LoopbackTesting", "Outbound", "Reactor", "Secrets", "Upstream",
        "SeededRandom",
      ]),
    tests(
      "InterceptionTests",
      [
        "Addresses", "Bytes", "COpenSSL", "Cryptography", "Interception", "LoopbackTesting", "Reactor", "Secrets",
        "SecureStreams", systemPackage,
      ]),
    tests("FuzzTargetTests", ["FuzzTargets"]),
    tests("HTTPServiceTests", ["Bytes", "HTTPService", "Locks", "Reactor"]),
    tests("AdminTests", ["Admin", "HTTPService", "Reactor"]),
    tests("ControlTests", ["CLinux", "Control", "HTTPService", "Locks", "LoopbackTesting", "Reactor", systemPackage]),
    tests("SandboxTests", ["Cryptography", "Encodings", "HTTPService", "Sandbox"]),
    tests(
      "ProxyCoreTests",
      [
        "Addresses", "Bytes", "Callers", "Configuration", "Cryptography", "GeneratedDocuments", "HTTPWire",
        "Interception", "Locks", "LoopbackTesting", "ProxyCore", "Reactor", "Routing", "Secrets", "Telemetry", "Tokens",
        "Upstream", logging,
        systemPackage,
      ]),
  ],
  swiftLanguageModes: [.v6]
)

// Only scripts/fuzz links libFuzzer; nothing else builds this target.
if Context.environment["M2M_FUZZ"] != nil {
  package.targets.append(
    .executableTarget(name: "m2m-fuzz", dependencies: ["FuzzTargets"], path: "Tests/FuzzDriver", swiftSettings: strict))
}
