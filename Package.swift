// swift-tools-version: 6.2

import PackageDescription

/// Every target of ours: Swift 6 mode, warnings are errors, and each unsafe construct is spelled out.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// The commit that `make build` names (SOURCE_COMMIT: hexadecimal digits, and `+` if the sources have changed since) for
/// the one target that tells it. Context.gitInformation would do without `make`, but SwiftPM keeps the first value.
let sourceVersion: [CSetting] = {
    let text = Context.environment["SOURCE_COMMIT"] ?? ""
    let digits = text.prefix { $0.isHexDigit }.prefix(12)
    guard digits.count == 12 else { return [] }
    return [
        .define("SOURCE_COMMIT", to: "0x\(digits)"),
        .define("SOURCE_IS_MODIFIED", to: text.hasSuffix("+") ? "1" : "0"),
    ]
}()

let package = Package(
    name: "kong-discovery",
    platforms: [.macOS(.v26)],
    products: [
        .executable(name: "kong-discovery", targets: ["kong-discovery"]),
        .library(name: "Engine", targets: ["Engine"]),
    ],
    // By exact version: an upgrade is a change like any other. ARCHITECTURE.md has the same list.
    dependencies: [
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", exact: "2.28.1"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections.git", exact: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto.git", exact: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types.git", exact: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log.git", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio.git", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", exact: "2.37.6"),
        .package(url: "https://github.com/groue/GRDB.swift.git", exact: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams.git", exact: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", exact: "2.13.0"),
    ],
    targets: [
        .systemLibrary(name: "CLdns", pkgConfig: "ldns", providers: [.apt(["libldns-dev"])]),
        .systemLibrary(name: "CEvent", pkgConfig: "libevent_core", providers: [.apt(["libevent-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CFile"),
        .systemLibrary(name: "CNotify"),
        .systemLibrary(name: "CPrivileges"),
        .systemLibrary(name: "CProcessor"),
        .target(name: "CVersion", cSettings: sourceVersion),
        .target(
            name: "Engine",
            dependencies: ["CLdns", "CEvent"],
            swiftSettings: strict + [.enableExperimentalFeature("Lifetimes")]
        ),
        // The page at /, embedded in the program.
        .target(name: "Dashboard", resources: [.embedInCode("Page")], swiftSettings: strict),
        .target(
            name: "ControlPlane",
            dependencies: [
                "CCurl",
                "CFile",
                "CNotify",
                "CPrivileges",
                "CProcessor",
                "Dashboard",
                "Engine",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "HeapModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "kong-discovery",
            dependencies: [
                "ControlPlane",
                "CVersion",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict
        ),
        // What an answer costs, for `make bench`; not a part of the product.
        .executableTarget(
            name: "answer-count", dependencies: ["Engine"], path: "bench/answer-count", swiftSettings: strict
        ),
        .testTarget(name: "EngineTests", dependencies: ["Engine", "CLdns", "CEvent"], swiftSettings: strict),
        .testTarget(
            name: "ControlPlaneTests",
            dependencies: [
                "CPrivileges",
                "ControlPlane",
                "Dashboard",
                "Engine",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
            ],
            exclude: ["Store/Databases"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ServerTests", dependencies: ["kong-discovery"], exclude: ["Support/service_manager.py"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "SimulationTests",
            dependencies: [
                "ControlPlane",
                "Engine",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
                .product(name: "HeapModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),
        .testTarget(name: "TidyTests", swiftSettings: strict),
    ]
)

// What fuzzes the control plane: see Fuzz/control. Its flags are for the readers and the fuzzer alone.
if Context.environment["FUZZ"] != nil {
    let flags = [SwiftSetting.unsafeFlags(["-sanitize=fuzzer,address", "-enable-testing"])]
    for target in package.targets where target.name == "ControlPlane" {
        target.swiftSettings = (target.swiftSettings ?? []) + flags
    }
    package.targets += [
        .systemLibrary(name: "CFuzzer", path: "Fuzz/Sources/CFuzzer"),
        .executableTarget(
            name: "fuzz-control",
            dependencies: [
                "CFuzzer", "ControlPlane", "Engine", .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            path: "Fuzz/control",
            exclude: ["Corpus", "make-seeds", "run"], swiftSettings: strict + flags,
            // lld: gold fails with an internal error here.
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])]
        ),
    ]
    package.products.append(.executable(name: "fuzz-control", targets: ["fuzz-control"]))
}

// The engine with its tests and nothing else, for what counts its calls of the runtime and for the sanitizers, which need
// each target built anew: without NIO, SQLite and BoringSSL that takes a fraction of the time.
if Context.environment["ENGINE_ALONE"] != nil {
    let engine: Set = ["CLdns", "CEvent", "Engine", "EngineTests", "answer-count"]
    package.targets.removeAll { !engine.contains($0.name) }
    package.products.removeAll { $0.name != "Engine" }
    package.dependencies = []
}
