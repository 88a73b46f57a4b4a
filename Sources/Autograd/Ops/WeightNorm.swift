internal import CKernels
import Tensor

/// g v / ‖v‖, the norm taken over all axes of v but `axis`.
///
/// - Shapes: `v` any, `g` v's with every other axis 1 → v's
/// - Source: Salimans and Kingma 2016, arXiv:1602.07868.
public func weightNorm(magnitude g: Variable, direction v: Variable, axis: Int) -> Variable {
  let axis = v.value.layout.axis(axis)
  let kept = v.shape[axis]
  let expected = v.shape.indices.map { $0 == axis ? kept : 1 }
  precondition(g.shape == expected, "weightNorm: magnitude \(g.shape), direction \(v.shape), axis \(axis)")
  let outer = Int64(v.shape[..<axis].reduce(1, *))
  let inner = Int64(v.shape[(axis + 1)...].reduce(1, *))
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
