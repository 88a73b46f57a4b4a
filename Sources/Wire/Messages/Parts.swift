import CWire

// How the values that are also used elsewhere travel.

extension ArtifactReference: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_artifact_reference() }

  func fill(_ raw: inout Unmask__ArtifactReference, _ arena: Arena) {
    raw.name = arena.text(name)
    raw.sha256 = arena.text(sha256)
    raw.size = UInt64(size)
  }

  init(reading raw: Unmask__ArtifactReference) throws {
    try self.init(
      name: word(raw.name, "ArtifactReference.name"),
      sha256: word(raw.sha256, "ArtifactReference.sha256"),
      size: number(raw.size, "ArtifactReference.size", in: 0...largeNumber))
  }
}

extension JobProgress: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_job_progress() }

  func fill(_ raw: inout Unmask__JobProgress, _ arena: Arena) {
    raw.phase = arena.text(phase)
    raw.epoch = UInt64(epoch)
    raw.step = UInt64(step)
    raw.steps = UInt64(steps)
    raw.message = arena.text(message, limit: Limits.sentence)
  }

  init(reading raw: Unmask__JobProgress) throws {
    try self.init(
      phase: text(raw.phase, "JobProgress.phase"),
      epoch: number(raw.epoch, "JobProgress.epoch", in: 0...largeNumber),
      step: number(raw.step, "JobProgress.step", in: 0...largeNumber),
      steps: number(raw.steps, "JobProgress.steps", in: 0...largeNumber),
      message: text(raw.message, "JobProgress.message", limit: Limits.sentence))
  }
}

struct JobArgument: Equatable {
  var key: String
  var value: String
}

extension JobArgument: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_argument() }

  func fill(_ raw: inout Unmask__Argument, _ arena: Arena) {
    raw.key = arena.text(key)
    raw.value = arena.text(value, limit: Limits.argument)
  }

  init(reading raw: Unmask__Argument) throws {
    key = try word(raw.key, "JobSpec.arguments.key")
    value = try text(raw.value, "JobSpec.arguments.value", limit: Limits.argument)
  }
}

extension JobSpec: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_job_spec() }

  func fill(_ raw: inout Unmask__JobSpec, _ arena: Arena) {
    raw.id = arena.text(id)
    raw.kind = arena.text(kind)
    (raw.n_arguments, raw.arguments) = arena.make(
      arguments.sorted { $0.key < $1.key }.map { JobArgument(key: $0.key, value: $0.value) })
    (raw.n_dependencies, raw.dependencies) = arena.texts(dependencies)
    (raw.n_inputs, raw.inputs) = arena.texts(inputs)
    (raw.n_outputs, raw.outputs) = arena.texts(outputs)
    raw.place = runsOn == .worker ? 1 : 2
    raw.group_size = UInt32(groupSize)
    raw.max_attempts = UInt32(maxAttempts)
    raw.priority = Int32(clamping: priority)
  }

  init(reading raw: Unmask__JobSpec) throws {
    let pairs: [JobArgument] = try parts(
      raw.n_arguments, raw.arguments, "JobSpec.arguments", limit: Limits.artifacts)
    try self.init(
      id: word(raw.id, "JobSpec.id"),
      kind: word(raw.kind, "JobSpec.kind"),
      arguments: Dictionary(pairs.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 }),
      dependencies: texts(raw.n_dependencies, raw.dependencies, "JobSpec.dependencies", limit: Limits.jobs),
      inputs: texts(raw.n_inputs, raw.inputs, "JobSpec.inputs", limit: Limits.artifacts),
      outputs: texts(raw.n_outputs, raw.outputs, "JobSpec.outputs", limit: Limits.artifacts),
      runsOn: number(raw.place, "JobSpec.place", in: 1...2) == 1 ? .worker : .coordinator,
      groupSize: number(raw.group_size, "JobSpec.group_size", in: 1...Limits.members),
      maxAttempts: number(raw.max_attempts, "JobSpec.max_attempts", in: 1...1_000_000),
      priority: Int(raw.priority))
  }
}
