// A fuzzer of the reader of manifests, and of the table of samples that workers get. Scripts/fuzz compiles it together with
// Sources/Datasets as one module, with libFuzzer's coverage feedback; it is no target of the package.
import Files
import Foundation

/// libFuzzer's entry point: the text of a manifest. Its first byte says whether it is read as a run's own table.
@_cdecl("LLVMFuzzerTestOneInput")
public func readOne(_ pointer: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: pointer, count: size))
  guard let first = bytes.first, let reader = try? CSVReader(Array(bytes.dropFirst()), name: "manifest.csv"),
    let data = try? SampleTable.parse(
      reader, file: "manifest.csv", options: LayoutOptions(name: "fuzz"), isOurs: first % 2 == 1)
  else { return 0 }
  for sample in data.samples {
    // No path may leave the manifest's folder, whatever it says.
    for path in sample.paths where path.isEmpty || path.hasPrefix("/") || path.split(separator: "/").contains("..") {
      fatalError("the path \(path) leaves its folder")
    }
    guard sample.weight > 0, sample.weight.isFinite else { fatalError("the weight \(sample.weight)") }
    _ = sample.paths.map { sample.content(of: $0) }
  }
  return 0
}
