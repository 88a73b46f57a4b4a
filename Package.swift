// swift-tools-version: 6.1

import PackageDescription

// One row a target, lowest layer first: name, what it may import. `Scripts/check-imports` compares every file's
// imports with this table; arrows point down only. docs/architecture.md says what each target is for.
let layers: [(name: String, imports: [String])] = [
  ("Files", ["CCrypto"]),
  ("ShardTree", ["CCollective"]),
  ("Tensor", ["CKernels", "COpenBLAS"]),
  ("SafeTensors", ["Tensor", "Files"]),
  ("Autograd", ["Tensor", "CKernels"]),
  ("NN", ["Autograd", "Tensor", "SafeTensors", "CKernels"]),
  ("Media", ["CMedia", "CLibAV", "CSndFile", "CFFTW", "CTurboJPEG", "CDeflate", "CWebP"]),
  ("Faces", ["Files", "Media", "CFaces"]),
  ("SampleData", ["Files", "CLibAV"]),
  ("Evaluation", ["Files", "CGSL"]),
  ("Datasets", ["Files", "Media", "Evaluation"]),
  ("Models", ["Files", "NN", "Autograd", "Tensor", "SafeTensors"]),
  (
    "Training",
    [
      "Files", "ShardTree", "Models", "NN", "Autograd", "Tensor", "SafeTensors", "Datasets", "Media", "Faces",
      "Evaluation",
    ]
  ),
  ("Reports", ["Files", "Evaluation"]),
  ("Wire", ["CWire"]),
  ("Coordination", ["Wire", "ShardTree"]),
  ("Transport", ["Wire", "CZeroMQ", "Logging"]),
  ("Collectives", ["ShardTree", "Wire", "Transport", "CCollective"]),
  ("Ledger", ["Wire", "Files", "GRDB"]),
  // Apart from Cluster so that the wall is compiled: the services know nothing of models or data.
  ("Services", ["Files", "ShardTree", "Coordination", "Transport", "Collectives", "Ledger", "Wire", "Logging"]),
  (
    "Cluster",
    [
      "Files", "ShardTree", "Services", "Coordination", "Transport", "Collectives", "Ledger", "Wire", "Training",
      "Models", "NN", "Datasets", "Faces", "Evaluation", "Reports", "Yams", "Logging",
    ]
  ),
]

// GRDB: the ledger's SQLite, with safe concurrency. Yams: experiment files. swift-log: one log format everywhere.
// swift-argument-parser: commands, help and usage errors.
let products: [String: Target.Dependency] = [
  "GRDB": .product(name: "GRDB", package: "GRDB.swift"),
  "Yams": .product(name: "Yams", package: "Yams"),
  "Logging": .product(name: "Logging", package: "swift-log"),
  "ArgumentParser": .product(name: "ArgumentParser", package: "swift-argument-parser"),
]
let packages: [String: Package.Dependency] = [
  "GRDB": .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
  "Yams": .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
  "Logging": .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
  "ArgumentParser": .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
]

let table = layers + [("unmask", layers.map(\.name) + ["ArgumentParser", "Logging"])]
let endToEnd = "EndToEndTests"

// What a target needs, itself included, by the table above.
func closure(of names: [String]) -> Set<String> {
  var needed: Set<String> = []
  var waiting = names
  while let name = waiting.popLast() {
    guard needed.insert(name).inserted else { continue }
    waiting += table.first { $0.name == name }?.imports ?? []
  }
  return needed
}

// UNMASK_TARGETS=Media,Evaluation builds and tests only these targets and what they need.
let testSupportImports = ["Tensor", "SafeTensors", "Autograd"]
let chosen =
  Context.environment["UNMASK_TARGETS"].map { $0.split(separator: ",").map(String.init) } ?? table.map(\.name)
let needed = closure(of: chosen + testSupportImports)

let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableExperimentalFeature("Lifetimes"),
]

// The experiment defaults travel inside the program, so that it needs no file beside it (the name there is a link).
let resources: [String: [Resource]] = ["Cluster": [.embedInCode("Experiment/defaults.yaml")]]

func dependencies(_ names: [String]) -> [Target.Dependency] {
  names.map { products[$0] ?? .target(name: $0) }
}

let systemLibraries = [
  "CCrypto", "COpenBLAS", "CLibAV", "CSndFile", "CFFTW", "CTurboJPEG", "CDeflate", "CWebP", "CZeroMQ", "CGSL",
]

var targets: [Target] = systemLibraries.map { .systemLibrary(name: $0) }
targets += [
  .target(
    name: "CKernels", dependencies: ["COpenBLAS"], cSettings: [.define("_GNU_SOURCE")],
    linkerSettings: [.linkedLibrary("openblas"), .linkedLibrary("dnnl"), .linkedLibrary("gomp"), .linkedLibrary("m")]),
  .target(name: "CMedia", linkerSettings: [.linkedLibrary("avutil")]),
  .target(name: "CCollective", cSettings: [.define("_GNU_SOURCE")], linkerSettings: [.linkedLibrary("m")]),
  // OpenCV: face detection, by cascades and by YuNet. Its headers are C++ and stay behind a C interface.
  .target(
    name: "CFaces", cxxSettings: [.unsafeFlags(["-isystem", "/usr/include/opencv4"])],
    linkerSettings: ["objdetect", "dnn", "imgproc", "core"].map { .linkedLibrary("opencv_\($0)") }),
  .target(name: "CWire", linkerSettings: [.linkedLibrary("protobuf-c")]),
]
for (name, imports) in table where needed.contains(name) {
  targets.append(
    name == "unmask"
      ? .executableTarget(name: name, dependencies: dependencies(imports), swiftSettings: settings)
      : .target(
        name: name, dependencies: dependencies(imports), resources: resources[name] ?? [], swiftSettings: settings))
}
targets.append(
  .target(
    name: "TestSupport", dependencies: dependencies(testSupportImports), path: "Tests/TestSupport",
    swiftSettings: settings))
for (name, imports) in layers where chosen.contains(name) {
  targets.append(
    .testTarget(
      name: "\(name)Tests", dependencies: dependencies([name] + imports + ["TestSupport"]), swiftSettings: settings))
}
if chosen.contains("unmask") {
  targets.append(
    .testTarget(name: endToEnd, dependencies: ["unmask", "Media", "TestSupport"], swiftSettings: settings))
}

let package = Package(
  name: "unmask",
  platforms: [.macOS(.v15)],
  dependencies: packages.filter { needed.contains($0.key) }.sorted { $0.key < $1.key }.map(\.value),
  targets: targets,
  cxxLanguageStandard: .cxx17
)
