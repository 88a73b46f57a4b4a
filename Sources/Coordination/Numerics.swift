/// What a worker's arithmetic is called: the name of its float32 kernels and, after a space, `bf16 NAME` of its bfloat16
/// ones or `bf16 none`.
///
/// Results of a run whose jobs compute in float32 alone depend on the first part only.
struct Numerics {
  let float32, bfloat16: Substring

  init(_ fingerprint: String) {
    let parts = fingerprint.split(separator: " ", maxSplits: 1)
    float32 = parts.first ?? ""
    bfloat16 = parts.count > 1 ? parts[1] : ""
  }

  /// What of a fingerprint decides the bits of a run.
  static func deciding(_ fingerprint: String, usesBFloat16: Bool) -> String {
    usesBFloat16 ? fingerprint : String(Numerics(fingerprint).float32)
  }

  /// Why a worker whose numerics differ from the run's cannot take part, and what to do.
  static func refusal(_ worker: String, run: String) -> String {
    let (own, others) = (Numerics(worker), Numerics(run))
    guard own.float32 == others.float32, own.bfloat16 != others.bfloat16 else {
      return "the worker's numerics (\(worker)) differ from the run's (\(run)), so that its results would have other "
        + "bits; use machines of one kind"
    }
    let rest = "so that its results would have other bits; use machines of one kind, or train.precision: fp32"
    if own.bfloat16 == "bf16 none" {
      return "the run computes in bfloat16 and the worker's processor has none (no AVX512_BF16), \(rest)"
    }
    if others.bfloat16 == "bf16 none" {
      return
        "the run asks for bfloat16 but began on a processor without it, in float32, and the worker's has it, \(rest)"
    }
    return "the worker's bfloat16 numerics (\(own.bfloat16)) differ from the run's (\(others.bfloat16)), \(rest)"
  }
}
