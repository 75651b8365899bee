// swift-tools-version: 6.2
import PackageDescription

// Strict builds (CI) turn warnings into errors; a plain build on a newer compiler must not fail on its new warnings.
let strict = Context.environment["POINTSMAN_STRICT"] != nil
let house: [SwiftSetting] = strict ? [.treatAllWarnings(as: .error)] : []

// MARK: The daemon. Every folder of Sources/Proxy is one target; the leaves import no other leaf.

let doors: [Target] = [
    .target(
        name: "CLibEvent", path: "Sources/Proxy/CLibEvent",
        linkerSettings: [.linkedLibrary("event_core")]),
    .target(
        name: "CLibPQ", path: "Sources/Proxy/CLibPQ",
        linkerSettings: [.linkedLibrary("pq")]),
    .target(
        name: "CPgQuery", path: "Sources/Proxy/CPgQuery",
        linkerSettings: [.linkedLibrary("pg_query")]),
    .target(name: "CToml", path: "Sources/Proxy/CToml"),
    .target(
        name: "CRe2", path: "Sources/Proxy/CRe2",
        linkerSettings: [.linkedLibrary("re2")]),
]

let leaves: [Target] = [
    .target(name: "Wire", path: "Sources/Proxy/Wire", swiftSettings: house),
    .target(
        name: "Routing", dependencies: ["CPgQuery", "CRe2"], path: "Sources/Proxy/Routing", swiftSettings: house),
    .target(name: "Freshness", path: "Sources/Proxy/Freshness", swiftSettings: house),
    .target(name: "Machines", path: "Sources/Proxy/Machines", swiftSettings: house),
    .target(name: "Telemetry", path: "Sources/Proxy/Telemetry", swiftSettings: house),
    .target(name: "Bouncer", path: "Sources/Proxy/Bouncer", swiftSettings: house),
    .target(name: "Settings", dependencies: ["CToml"], path: "Sources/Proxy/Settings", swiftSettings: house),
    .target(name: "EventLoop", dependencies: ["CLibEvent"], path: "Sources/Proxy/EventLoop", swiftSettings: house),
    .target(name: "Upstream", dependencies: ["CLibPQ"], path: "Sources/Proxy/Upstream", swiftSettings: house),
]

let daemon: [Target] = [
    .target(
        name: "Daemon",
        dependencies: [
            "Wire", "Routing", "Freshness", "Machines", "Telemetry", "Settings", "Bouncer", "EventLoop", "Upstream",
            .product(name: "Logging", package: "swift-log"),
        ],
        path: "Sources/Proxy/Daemon", swiftSettings: house),
    .target(
        name: "Doctor", dependencies: ["Bouncer", "Settings", "Upstream"], path: "Sources/Proxy/Doctor",
        swiftSettings: house),
    .executableTarget(
        name: "pointsman",
        dependencies: [
            "Daemon", "Doctor", "Upstream", "Wire", .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ],
        path: "Sources/Proxy/pointsman", swiftSettings: house),
]

// MARK: The app: the client library and its first user.

let app: [Target] = [
    .target(
        name: "PointsmanClient",
        dependencies: [
            "Wire",
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
        ],
        path: "Sources/App/PointsmanClient", swiftSettings: house),
    .target(name: "MessageBoard", path: "Sources/App/MessageBoard", swiftSettings: house),
    .executableTarget(
        name: "message-server",
        dependencies: [
            "MessageBoard", "PointsmanClient",
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
            .product(name: "Crypto", package: "swift-crypto"),
            .product(name: "HTTPTypes", package: "swift-http-types"),
            .product(name: "Hummingbird", package: "hummingbird"),
            .product(name: "Logging", package: "swift-log"),
            .product(name: "Mustache", package: "swift-mustache"),
        ],
        path: "Sources/App/message-server",
        resources: [.embedInCode("Resources")],
        swiftSettings: house),
]

// MARK: Tests: one folder per module, DaemonTests against real servers.

let tests: [Target] = [
    .target(name: "TestKit", dependencies: ["CLibPQ"], path: "Tests/TestKit", swiftSettings: house),
    .testTarget(name: "WireTests", dependencies: ["Wire"], swiftSettings: house),
    .testTarget(name: "RoutingTests", dependencies: ["Routing"], swiftSettings: house),
    .testTarget(name: "FreshnessTests", dependencies: ["Freshness"], swiftSettings: house),
    .testTarget(name: "MachinesTests", dependencies: ["Machines"], swiftSettings: house),
    .testTarget(name: "TelemetryTests", dependencies: ["Telemetry"], swiftSettings: house),
    .testTarget(name: "SettingsTests", dependencies: ["Settings"], swiftSettings: house),
    .testTarget(name: "BouncerTests", dependencies: ["Bouncer"], swiftSettings: house),
    .testTarget(name: "EventLoopTests", dependencies: ["EventLoop"], swiftSettings: house),
    .testTarget(name: "UpstreamTests", dependencies: ["Upstream", "TestKit"], swiftSettings: house),
    .testTarget(name: "DoctorTests", dependencies: ["Doctor", "Bouncer", "Settings"], swiftSettings: house),
    .testTarget(
        name: "DaemonTests", dependencies: ["Daemon", "Routing", "Settings", "Telemetry", "TestKit", "pointsman"],
        swiftSettings: house),
    .testTarget(name: "PointsmanClientTests", dependencies: ["PointsmanClient", "Wire"], swiftSettings: house),
    .testTarget(name: "MessageBoardTests", dependencies: ["MessageBoard"], swiftSettings: house),
    // Runs the message server too, which a build of all targets has made beside the tests. It is no dependency, so that
    // the tests without servers are built without the web app.
    .testTarget(name: "AppTests", dependencies: ["PointsmanClient", "TestKit", "pointsman"], swiftSettings: house),
]

// MARK: The load generators of deploy/bench and deploy/freshness: executables, not tests.

let bench: [Target] = [
    .systemLibrary(name: "CEpoll", path: "Tests/Bench/CEpoll"),
    .executableTarget(
        name: "Bench", dependencies: ["CEpoll", "CLibPQ", "Routing"], path: "Tests/Bench",
        exclude: ["CEpoll", "allocations.c"], swiftSettings: house),
    .executableTarget(
        name: "FreshnessProof", dependencies: ["TestKit"], path: "Tests/FreshnessProof", swiftSettings: house),
]

// MARK: The fuzz target of deploy/fuzz, which sets POINTSMAN_FUZZ and the sanitizers' flags: no part of a plain build.

let fuzz: [Target] =
    Context.environment["POINTSMAN_FUZZ"] == nil
    ? []
    : [
        // libFuzzer has the main function.
        .executableTarget(
            name: "Fuzz", dependencies: ["Routing"], path: "Tests/Fuzz",
            swiftSettings: house + [.unsafeFlags(["-parse-as-library"])])
    ]

let package = Package(
    name: "pointsman",
    products: [
        .executable(name: "pointsman", targets: ["pointsman"]),
        .executable(name: "message-server", targets: ["message-server"]),
        .library(name: "PointsmanClient", targets: ["PointsmanClient"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
    ],
    targets: doors + leaves + daemon + app + tests + bench + fuzz,
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
