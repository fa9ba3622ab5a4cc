// swift-tools-version: 6.1
import PackageDescription

// Modules and arrows are those of docs/architecture.md. An import that this file does not allow is a
// build error (InternalImportsByDefault and MemberImportVisibility are on for every target).

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

var targets: [Target] = [
    // Debian's libraries
    .systemLibrary(name: "CSofiaSystem", pkgConfig: "sofia-sip-ua", providers: [.apt(["libsofia-sip-ua-dev"])]),
    .systemLibrary(name: "CGnuTLS", pkgConfig: "gnutls", providers: [.apt(["libgnutls28-dev"])]),
    .target(name: "CSofia", dependencies: ["CSofiaSystem"]),
    .systemLibrary(name: "CLibXML2", pkgConfig: "libxml-2.0", providers: [.apt(["libxml2-dev"])]),
    .systemLibrary(name: "CMalloc"),

    // Pure: values in, values out, time passed in
    .target(name: "MSRP", dependencies: [nioCore]),
    .target(name: "Payloads", dependencies: ["CLibXML2"]),
    .target(name: "DigestAuth", dependencies: ["CGnuTLS"]),

    // I/O
    .target(name: "NIOGnuTLS", dependencies: ["CGnuTLS", nioCore]),
    .target(name: "MSRPTransport", dependencies: ["MSRP", "NIOGnuTLS", nioCore, nioPosix, logging]),
    .target(name: "FileSpool", dependencies: ["CGnuTLS", nioCore, nioPosix, logging]),
    .target(
        name: "MediaMixer",
        dependencies: ["MSRP", "MSRPTransport", "Payloads", "FileSpool", nioCore, nioPosix, logging]),
    .target(name: "RelayCore", dependencies: ["MSRP", "MSRPTransport", "DigestAuth", "NIOGnuTLS", nioCore, logging]),
    .target(name: "Store", dependencies: ["DigestAuth", "MediaMixer", "FileSpool", grdb, logging]),
    .target(name: "SIP", dependencies: ["CSofia", "CSofiaSystem", logging]),
    .target(name: "Focus", dependencies: ["SIP", "Payloads", "MediaMixer", "FileSpool", "DigestAuth", logging]),
    .target(
        name: "Client",
        dependencies: [
            "CGnuTLS", "SIP", "Payloads", "MSRP", "MSRPTransport", "NIOGnuTLS", "DigestAuth", nioCore, nioPosix,
            logging,
        ]),

    .executableTarget(
        name: "confd",
        dependencies: [
            "CMalloc", "Focus", "MediaMixer", "FileSpool", "RelayCore", "Store", "Client", "SIP", "Payloads",
            "DigestAuth", "MSRP", "MSRPTransport", "NIOGnuTLS", nioCore, nioPosix, logging, lifecycle, unixSignals,
            argumentParser,
        ]),

    // Benchmarks: a C load generator and the C fan-out program that stands for the physical limit
    .target(name: "CBench", dependencies: ["CGnuTLS"], path: "Benchmarks/CBench"),
    .executableTarget(name: "confd-bench", dependencies: ["CBench", argumentParser], path: "Benchmarks/confd-bench"),

    // Tests
    .target(name: "Support", dependencies: ["CGnuTLS"], path: "Tests/Support"),
    .testTarget(name: "MSRPTests", dependencies: ["MSRP", "Support", nioCore]),
    .testTarget(name: "PayloadsTests", dependencies: ["Payloads", "Support"]),
    .testTarget(name: "DigestAuthTests", dependencies: ["DigestAuth"]),
    .testTarget(name: "NIOGnuTLSTests", dependencies: ["NIOGnuTLS", "Support", nioCore, nioPosix, nioEmbedded]),
    .testTarget(
        name: "MSRPTransportTests",
        dependencies: ["MSRPTransport", "MSRP", "NIOGnuTLS", "Support", nioCore, nioPosix, nioEmbedded, logging]),
    .testTarget(name: "FileSpoolTests", dependencies: ["FileSpool", "Support", nioCore, nioPosix, logging]),
    .testTarget(
        name: "MediaMixerTests",
        dependencies: [
            "MediaMixer", "FileSpool", "MSRPTransport", "MSRP", "NIOGnuTLS", "Payloads", "Support", nioCore, nioPosix,
            nioEmbedded,
            logging,
        ]),
    .testTarget(
        name: "RelayCoreTests",
        dependencies: [
            "RelayCore", "MSRPTransport", "MSRP", "DigestAuth", "NIOGnuTLS", "Support", nioCore, nioPosix, nioEmbedded,
            logging,
        ]),
    .testTarget(
        name: "StoreTests",
        dependencies: ["Store", "DigestAuth", "MediaMixer", "FileSpool", "Support", grdb, logging]),
    .testTarget(name: "SIPTests", dependencies: ["SIP", "Support", "CSofia", logging]),
    .testTarget(
        name: "FocusTests",
        dependencies: ["Focus", "SIP", "Payloads", "MediaMixer", "FileSpool", "DigestAuth", "Support", logging]),
    .testTarget(
        name: "ConfdTests",
        dependencies: [
            "confd", "Client", "Focus", "MediaMixer", "FileSpool", "MSRPTransport", "SIP", "Store", "DigestAuth",
            "MSRP",
            "NIOGnuTLS", "Payloads", "Support", nioCore, logging,
        ]),
    .testTarget(name: "SystemTests", dependencies: ["confd", "Support"]),
]

// Fuzz targets need flags that would slow every other build, so they exist only when asked for, and
// every module under test is instrumented with them (otherwise the fuzzer runs blind).
let fuzzing = Context.environment["CONFD_FUZZ"] != nil
if fuzzing {
    targets.removeAll { $0.type == .test || $0.name == "confd-bench" || $0.name == "CBench" }
    targets.append(.target(name: "CFuzzDriver", path: "Fuzz/CFuzzDriver"))
    for (name, dependencies) in [
        ("FuzzMSRP", ["MSRP"]),
        ("FuzzSDP", ["Payloads"]),
        ("FuzzCPIM", ["Payloads"]),
        ("FuzzXML", ["Payloads"]),
        ("FuzzRelay", ["MSRP", "MSRPTransport", "RelayCore"]),
    ] {
        targets.append(
            .executableTarget(
                name: name,
                dependencies: ["CFuzzDriver"] + dependencies.map { .init(stringLiteral: $0) }
                    + (name == "FuzzMSRP" ? [nioCore] : name == "FuzzRelay" ? [nioCore, nioEmbedded, logging] : []),
                path: "Fuzz/\(name)",
                linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]))
    }
}
let fuzzed: Set<String> = [
    "MSRP", "MSRPTransport", "RelayCore", "Payloads", "FuzzMSRP", "FuzzSDP", "FuzzCPIM", "FuzzXML",
    "FuzzRelay",
]
let withoutSwift: Set<String> = ["CSofiaSystem", "CGnuTLS", "CLibXML2", "CMalloc", "CSofia", "CBench", "CFuzzDriver"]

for target in targets where !withoutSwift.contains(target.name) {
    target.swiftSettings = [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("ExistentialAny"),
    ]
    if fuzzing, fuzzed.contains(target.name) {
        target.swiftSettings?.append(.unsafeFlags(["-sanitize=fuzzer"]))
    }
}

let package = Package(
    name: "confd",
    products: [.executable(name: "confd", targets: ["confd"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: targets
)
