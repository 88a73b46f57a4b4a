internal import CKernels
import Tensor

/// g v / ‖v‖, the norm taken over all axes of v but `axis`, or over all axes if that is nil.
///
/// - Shapes: `v` any, `g` v's with every other axis 1 (of one element if `axis` is nil) → v's
/// - Source: Salimans and Kingma 2016, arXiv:1602.07868.
public func weightNorm(magnitude g: Variable, direction v: Variable, axis: Int?) -> Variable {
  let axis = axis.map(v.value.layout.axis)
  let kept = axis.map { v.shape[$0] } ?? 1
  precondition(
    g.value.count == kept && (axis == nil || g.shape == v.shape.indices.map { $0 == axis ? kept : 1 }),
    "weightNorm: magnitude \(g.shape), direction \(v.shape), axis \(axis.map(String.init) ?? "none")")
  let outer = Int64(v.shape[..<(axis ?? 0)].reduce(1, *))
  let inner = Int64(v.shape[(axis.map { $0 + 1 } ?? 0)...].reduce(1, *))
  let (direction, magnitude) = (v.value.contiguous(), g.value.contiguous())
  var norms = Tensor(zeros: [kept])
  let w = Tensor(v.shape) { w in
    norms = Tensor([kept]) { norms in
      direction.withFloats { v in
        magnitude.withFloats { g in
          dk_weight_norm(outer, Int64(kept), inner, v.baseAddress, g.baseAddress, w.baseAddress, norms.baseAddress)
        }
      }
    }
  }
  return Tape.record(w, [g, v]) { [norms] dw in
    let dw = dw.contiguous()
    var dg = norms
    let dv = Tensor(direction.shape) { dv in
      dg = Tensor(magnitude.shape) { dg in
        direction.withFloats { v in
          magnitude.withFloats { g in
            norms.withFloats { norms in
              dw.withFloats { dw in
                dk_weight_norm_backward(
                  outer, Int64(kept), inner, v.baseAddress, g.baseAddress, norms.baseAddress, dw.baseAddress,
                  dv.baseAddress, dg.baseAddress)
              }
            }
          }
        }
      }
    }
    return [dg, dv]
  }
}
