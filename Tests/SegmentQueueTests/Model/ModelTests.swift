import TestSupport
import Testing

/// Generated lives of a queue, step by step beside a list that says what should be. `SLUICE_SEQUENCES` sets how many, `SLUICE_SEED` runs
/// one of them.
@Suite(.timeLimit(.minutes(60))) struct ModelTests {
  @Test(arguments: SeededRuns.seeds(usually: 600)) func `the queue does what a list with cursors does, over crashes too`(seeds: [UInt64])
    async throws
  {
    for seed in seeds {
      var run: ModelRun?
      do {
        run = try ModelRun(seed: seed)
        try await run!.run(steps: 60)
      } catch {
        let last = run?.steps.suffix(14).joined(separator: "\n  ") ?? "opening"
        Issue.record("seed \(seed): \(error)\n  \(last)\nagain: \(SeededRuns.replay(seed, "ModelTests"))")
        return
      }
    }
  }
}
