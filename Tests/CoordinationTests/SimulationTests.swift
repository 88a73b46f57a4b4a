import Coordination
import Testing
import Wire

@Suite struct `simulated runs` {
  static func jobs(_ random: inout Random) -> [JobSpec] {
    var jobs: [JobSpec] = []
    for index in 0..<8 {
      let id = "job/\(index)"
      var arguments = random.below(4) == 0 ? ["fails": "once"] : [:]
      if index == 7 { arguments["steps"] = "40" }  // long enough to be shared
      jobs.append(
        JobSpec(
          id: id, kind: "k", arguments: arguments,
          dependencies: index > 2 && random.below(2) == 0 ? ["job/\(random.below(index))"] : [], outputs: [id + ".out"],
          groupSize: 1 + random.below(3), maxAttempts: 3, priority: random.below(2)))
    }
    jobs.append(
      JobSpec(
        id: "merge", kind: "k", dependencies: jobs.map(\.id), inputs: jobs.flatMap(\.outputs), outputs: ["merged"],
        runsOn: .coordinator))
    return jobs
  }

  /// A failing seed is named; `UNMASK_SEEDS=SEED` replays it.
  @Test(arguments: [1, 2, 4]) func `complete after every fault, with one owner a lease and each sample once`(
    workers: Int
  ) {
    var (sums, reshapes, changes, joined) = (0, 0, 0, 0)
    var (taken, complaints, unequal) = (0, 0, 0)
    var fetched: [Simulation.Source: Int] = [:]
    for seed in simulatedSeeds {
      var random = Random(UInt64(seed) &* 77 &+ UInt64(workers))
      var simulation = Simulation(
        seed: UInt64(seed), jobs: Self.jobs(&random), workers: workers, slots: 1 + seed % 2, sharesJobs: seed % 7 < 3,
        faults: .init(
          loss: [0, 0.02, 0.2][seed % 3], repetition: 0.05, crashes: seed % 6, coordinatorCrashes: seed % 4,
          partitions: seed % 5, hangs: seed % 8 < 5 ? 0 : seed % 4))
      do {
        _ = try simulation.run()
        (sums, reshapes) = (sums + simulation.sums, reshapes + simulation.reshapes)
        (taken, complaints) = (taken + simulation.taken, complaints + simulation.complaints)
        unequal += simulation.unequal
        (changes, joined) = (changes + simulation.changes, joined + simulation.joined)
        fetched.merge(simulation.contents.fetched) { $0 + $1 }
      } catch {
        Issue.record("seed \(seed), \(workers) workers: \(error)")
      }
    }
    #expect(
      workers == 1 || simulatedSeeds.count < 1_000 || (taken > 50 && complaints > 100 && unequal > 50),
      "\(taken) times taken from a worker that hung, \(complaints) waited in vain, \(unequal) sums of unequal shares")
    #expect(
      workers == 1 || simulatedSeeds.count < 1_000 || (sums > 500 && reshapes > 5 && changes > 100 && joined > 50),
      "\(sums) steps of groups, \(reshapes) hand-overs, \(changes) changes, \(joined) states")
    #expect(
      workers == 1 || simulatedSeeds.count < 1_000
        || [.coordinator, .worker, .relay].allSatisfy { fetched[$0, default: 0] > 200 }, "\(fetched)")
  }

  @Test func `without faults need no second attempt and little time`() throws {
    var random = Random(5)
    let jobs = Self.jobs(&random).map { job in
      var job = job
      job.arguments = [:]
      job.groupSize = 1
      return job
    }
    var simulation = Simulation(
      seed: 1, jobs: jobs, workers: 4,
      faults: .init(loss: 0, repetition: 0, crashes: 0, coordinatorCrashes: 0, partitions: 0))
    #expect(try simulation.run() < 30_000)
    #expect(simulation.refused == 0)
  }
}
