public import Evaluation

// What a report is made of, as plain values: the facts of a run that scores do not hold. Metrics, intervals and tests are
// not here: `RunAnalysis` computes them from the score rows.

/// The facts of one run.
public struct RunReport: Sendable, Codable {
  /// The experiment's name.
  public var name: String
  /// The seeds that were run.
  public var seeds: [UInt64]
  /// The fully resolved experiment file.
  public var experiment: String
  /// What was chosen on validation scores: thresholds, an undecided band, calibration.
  public var decision: DecisionSettings
  /// Every sample of the run, failures included.
  public var samples: [Sample]
  /// Counts and verdicts, one row a data set and modality.
  public var statistics: [DatasetStatistics]
  /// What folds hold, one row a fold and part.
  public var folds: [FoldCount]
  /// What was checked about leaks between folds.
  public var leaks: [LeakCheck]
  /// Trained models and baselines.
  public var models: [Model]
  /// Fusions.
  public var fusions: [Fusion]
  /// Shortcuts: quantities that should tell nothing about the label.
  public var probes: [Probe]
  /// Files and jobs that failed, with reasons.
  public var failures: [Failure]
  /// Versions of the program and of the libraries it used.
  public var versions: [Fact]
  /// Hashes of data, configuration and program.
  public var hashes: [Fact]
  /// How the run went: hosts, workers, retries, when it started and ended. May differ between equal runs.
  public var execution: [Fact]
  /// Files of the run directory.
  public var files: [FileEntry]
  /// How training and test were kept apart, by the experiment's word: `k-fold`, `official`, `cross-dataset`, …
  public var foldProtocol: String
  /// What each fold is; empty for the folds of one cross-validation.
  public var scopes: [FoldScope]
  /// Pictures of the samples that `FailureCases` names, made before the report.
  public var previews: [Preview]
  /// How often test scores were computed.
  public var testScorings: [TestScoring]
  /// What a run lacks that has not come to its end; nil for a whole one.
  public var unfinished: Unfinished?
  /// Sentences that a reader must know, such as settings that differ from the defaults for a reason.
  public var notes: [String]

  /// An empty report with a name; fill in what is known. Sections without content say so.
  public init(name: String, thresholdRule: ThresholdRule = .f1) {
    self.name = name
    decision = DecisionSettings(rule: thresholdRule)
    (seeds, experiment, samples, statistics, folds, leaks) = ([], "", [], [], [], [])
    (models, fusions, probes, failures, versions, hashes) = ([], [], [], [], [], [])
    (execution, files, notes) = ([], [], [])
    (foldProtocol, scopes, previews, testScorings) = ("k-fold", [], [], [])
  }

  /// How thresholds were chosen on validation scores.
  public var thresholdRule: ThresholdRule { decision.rule }

  /// What a run that has not come to its end lacks.
  public struct Unfinished: Sendable, Codable, Hashable {
    /// Jobs that are done, of how many.
    public var done, jobs: Int
    /// Jobs that were given up, and why; none where the run is still going on or was stopped.
    public var givenUp: [Failure]
    /// What of which model or fusion has no scores.
    public var missing: [String]

    /// Makes it.
    public init(done: Int, jobs: Int, givenUp: [Failure], missing: [String] = []) {
      (self.done, self.jobs, self.givenUp, self.missing) = (done, jobs, givenUp, missing)
    }
  }

  /// How often a model's test scores were computed, by the ledger.
  public struct TestScoring: Sendable, Codable, Hashable {
    /// The model.
    public var model: String
    /// Its folds: as often is once.
    public var folds: Int
    /// Score jobs that came to their end; more than folds where one was done again after a fault.
    public var computed: Int
    /// Test files that `unmask predict` has scored since.
    public var predicted: Int

    /// Makes a row.
    public init(model: String, folds: Int, computed: Int, predicted: Int = 0) {
      (self.model, self.folds, self.computed, self.predicted) = (model, folds, computed, predicted)
    }
  }

  /// What a fold is.
  public struct FoldScope: Sendable, Codable, Hashable {
    /// The fold.
    public var fold: Int
    /// What it leaves out or is trained on.
    public var name: String
    /// Which repetition with another seed it belongs to, from 0.
    public var repetition: Int
    /// The data sets of its training part.
    public var trainedOn: [String]

    /// Makes a scope.
    public init(fold: Int, name: String, repetition: Int = 0, trainedOn: [String]) {
      (self.fold, self.name, self.repetition, self.trainedOn) = (fold, name, repetition, trainedOn)
    }
  }

  /// What a sample looks and sounds like.
  public struct Preview: Sendable, Codable, Hashable {
    /// The data set it is of.
    public var dataset: String
    /// The sample.
    public var sample: String
    /// What the file is: kind, length, size, coding.
    public var about: String
    /// A small picture, PNG; a path in the run directory.
    public var picture: String?
    /// A spectrogram, PNG; a path in the run directory.
    public var spectrogram: String?

    /// Makes a preview.
    public init(dataset: String, sample: String, about: String, picture: String? = nil, spectrogram: String? = nil) {
      (self.dataset, self.sample, self.about) = (dataset, sample, about)
      (self.picture, self.spectrogram) = (picture, spectrogram)
    }
  }

  /// One sample and what is true of it.
  public struct Sample: Sendable, Codable, Hashable {
    /// Its name within its data set, as in score files.
    public var id: String
    /// The data set it is of.
    public var dataset: String
    /// The sample's own label, which fusion learns.
    public var label: Truth
    /// The sound's label, if it has sound.
    public var audioLabel: Truth?
    /// The picture's label, if it has pictures.
    public var visualLabel: Truth?
    /// Kind of manipulation; empty for real samples.
    public var type: String
    /// The group that no two folds share.
    public var group: String

    /// Its full name.
    public var name: SampleID { SampleID(dataset: dataset, sample: id) }

    /// Makes a sample.
    public init(
      id: String, dataset: String, label: Truth, audioLabel: Truth? = nil, visualLabel: Truth? = nil, type: String = "",
      group: String = ""
    ) {
      (self.id, self.dataset, self.label, self.audioLabel) = (id, dataset, label, audioLabel)
      (self.visualLabel, self.type, self.group) = (visualLabel, type, group)
    }
  }

  /// Counts of one data set and modality.
  public struct DatasetStatistics: Sendable, Codable, Hashable {
    /// The data set.
    public var dataset: String
    /// `image`, `audio` or `video`.
    public var modality: String
    /// How many are real.
    public var real: Int
    /// How many are fake.
    public var fake: Int
    /// `GOOD`, `MODERATE`, `SEVERE`.
    public var verdict: String
    /// What follows from it.
    public var advice: String

    /// Makes a row.
    public init(dataset: String, modality: String, real: Int, fake: Int, verdict: String, advice: String) {
      (self.dataset, self.modality, self.real, self.fake) = (dataset, modality, real, fake)
      (self.verdict, self.advice) = (verdict, advice)
    }
  }

  /// What one part of one fold holds.
  public struct FoldCount: Sendable, Codable, Hashable {
    /// The fold.
    public var fold: Int
    /// `train`, `validation` or `test`.
    public var part: String
    /// How many are real.
    public var real: Int
    /// How many are fake.
    public var fake: Int
    /// How many groups.
    public var groups: Int

    /// Makes a row.
    public init(fold: Int, part: String, real: Int, fake: Int, groups: Int) {
      (self.fold, self.part, self.real, self.fake, self.groups) = (fold, part, real, fake, groups)
    }
  }

  /// One check for leaks.
  public struct LeakCheck: Sendable, Codable, Hashable {
    /// What was looked for, such as "groups in two parts of a fold".
    public var name: String
    /// How many were found.
    public var found: Int
    /// How many were looked at.
    public var checked: Int
    /// Names of the first ones, or what the number means.
    public var detail: String

    /// Makes a row.
    public init(name: String, found: Int, checked: Int, detail: String = "") {
      (self.name, self.found, self.checked, self.detail) = (name, found, checked, detail)
    }
  }

  /// A trained model or a baseline.
  public struct Model: Sendable, Codable, Hashable {
    /// Its name, as in score files.
    public var name: String
    /// Whether it is one of the experiment's models or only there to compare with.
    public var isBaseline: Bool
    /// `image`, `audio` or `video`; a baseline that looks at nothing has `none`.
    public var modality: String
    /// The architecture's name.
    public var architecture: String
    /// How many numbers were learned.
    public var parameters: Int?
    /// Minutes of training, summed over folds.
    public var trainingMinutes: Double?
    /// Milliseconds of scoring a sample, decoding included.
    public var inferenceMilliseconds: Double?
    /// How training went, fold by fold.
    public var training: [FoldTraining]
    /// What was done about unequal classes.
    public var balance: Balance?

    /// What was done about unequal classes.
    public struct Balance: Sendable, Codable, Hashable {
      /// The strategy's name.
      public var strategy: String
      /// The same for models that differ in nothing else.
      public var kind: String
      /// What each fold's training said of it: counts, weights, loss.
      public var shown: [String]

      /// Makes it.
      public init(strategy: String, kind: String, shown: [String]) {
        (self.strategy, self.kind, self.shown) = (strategy, kind, shown)
      }
    }

    /// Makes a model.
    public init(
      name: String, isBaseline: Bool = false, modality: String, architecture: String, parameters: Int? = nil,
      trainingMinutes: Double? = nil, inferenceMilliseconds: Double? = nil, training: [FoldTraining] = [],
      balance: Balance? = nil
    ) {
      self.balance = balance
      (self.name, self.isBaseline, self.modality, self.architecture) = (name, isBaseline, modality, architecture)
      (self.parameters, self.trainingMinutes) = (parameters, trainingMinutes)
      (self.inferenceMilliseconds, self.training) = (inferenceMilliseconds, training)
    }
  }

  /// Training of one fold.
  public struct FoldTraining: Sendable, Codable, Hashable {
    /// The fold.
    public var fold: Int
    /// The epoch whose weights were kept, as validation chose it.
    public var bestEpoch: Int?
    /// What was measured after each epoch.
    public var epochs: [Epoch]

    /// Makes a fold's curve.
    public init(fold: Int, bestEpoch: Int?, epochs: [Epoch]) {
      (self.fold, self.bestEpoch, self.epochs) = (fold, bestEpoch, epochs)
    }
  }

  /// One epoch's numbers.
  public struct Epoch: Sendable, Codable, Hashable {
    /// The epoch, from 1.
    public var epoch: Int
    /// Mean training loss.
    public var trainLoss: Double?
    /// Mean validation loss.
    public var validationLoss: Double?
    /// Validation AUC.
    public var validationAUC: Double?

    /// Makes an epoch.
    public init(epoch: Int, trainLoss: Double? = nil, validationLoss: Double? = nil, validationAUC: Double? = nil) {
      (self.epoch, self.trainLoss, self.validationLoss) = (epoch, trainLoss, validationLoss)
      self.validationAUC = validationAUC
    }
  }

  /// A fusion of several models.
  public struct Fusion: Sendable, Codable, Hashable {
    /// Its name, as in score files.
    public var name: String
    /// The rule.
    public var rule: FusionRule
    /// The models fused.
    public var models: [String]

    /// Makes a fusion.
    public init(name: String, rule: FusionRule, models: [String]) {
      (self.name, self.rule, self.models) = (name, rule, models)
    }
  }

  /// A quantity that should not tell real from fake, measured on every sample.
  public struct Probe: Sendable, Codable, Hashable {
    /// What it is: `duration`, `level`, `file size`, `leading silence`.
    public var name: String
    /// Its unit.
    public var unit: String
    /// Its value on each sample, in the order of `samples`; nil where it cannot be measured.
    public var values: [Double?]
    /// Whether only areas above 0.5 tell anything: frequencies among other samples of the same name.
    public var isOneSided: Bool

    /// Makes a probe.
    public init(name: String, unit: String, values: [Double?], isOneSided: Bool = false) {
      (self.name, self.unit, self.values, self.isOneSided) = (name, unit, values, isOneSided)
    }
  }

  /// Something that failed.
  public struct Failure: Sendable, Codable, Hashable {
    /// The sample or job.
    public var subject: String
    /// `scan`, `decode`, `train`, `score`.
    public var stage: String
    /// Why, in one sentence.
    public var reason: String

    /// Makes a failure.
    public init(subject: String, stage: String, reason: String) {
      (self.subject, self.stage, self.reason) = (subject, stage, reason)
    }
  }

  /// A named value.
  public struct Fact: Sendable, Codable, Hashable {
    /// What it is.
    public var name: String
    /// Its value.
    public var value: String

    /// Makes a fact.
    public init(_ name: String, _ value: String) { (self.name, self.value) = (name, value) }
  }

  /// A file of the run directory.
  public struct FileEntry: Sendable, Codable, Hashable {
    /// Its path in the run directory.
    public var path: String
    /// Its size.
    public var bytes: Int
    /// Its hash.
    public var sha256: String

    /// Makes an entry.
    public init(path: String, bytes: Int, sha256: String) {
      (self.path, self.bytes, self.sha256) = (path, bytes, sha256)
    }
  }
}
