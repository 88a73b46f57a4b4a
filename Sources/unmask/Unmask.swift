// The command line: one file per command in Commands/.

import ArgumentParser

@main
struct Unmask: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unmask",
    abstract: "Train and evaluate detectors of manipulated images, speech and video on a cluster of Linux machines.",
    subcommands: [
      BenchmarkCommand.self, ModelsCommand.self, SampleCommand.self,
      EvaluateCommand.self, CompareCommand.self, FuseCommand.self, ReportCommand.self,
    ]
  )
}
