// swift-tools-version: 6.2

import PackageDescription

// A package of its own, so that the fuzzers' flags touch nothing else, and with the engine's folders instead of the
// whole package ("Sources" holds links), so that building a fuzzer needs no package of others.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .unsafeFlags(["-sanitize=fuzzer,address"]),
]

let package = Package(
    name: "kong-discovery-fuzz",
    platforms: [.macOS(.v26)],
    targets: [
        .systemLibrary(name: "CLdns", pkgConfig: "ldns", providers: [.apt(["libldns-dev"])]),
        .systemLibrary(name: "CEvent", pkgConfig: "libevent_core", providers: [.apt(["libevent-dev"])]),
        .systemLibrary(name: "CFuzzer"),
        .target(
            name: "Engine",
            dependencies: ["CLdns", "CEvent"],
            swiftSettings: strict + [.enableExperimentalFeature("Lifetimes")]
        ),
        .executableTarget(
            name: "answer",
            dependencies: ["Engine", "CLdns", "CFuzzer"],
            swiftSettings: strict,
            // lld: gold fails with an internal error here.
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])]
        ),
        .executableTarget(
            name: "upstream",
            dependencies: ["Engine", "CLdns", "CFuzzer"],
            swiftSettings: strict,
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])]
        ),
    ]
)
