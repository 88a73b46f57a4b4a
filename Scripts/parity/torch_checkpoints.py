"""Makes Tests/Fixtures/checkpoints: files of torch.save with the tensors in them, and files that must be refused.

usage: python3 Scripts/parity/torch_checkpoints.py        (needs torch and safetensors)
"""
import collections, io, json, os, pathlib, pickle, struct, zipfile
import torch
from safetensors.torch import load_file, save_file

out = pathlib.Path(__file__).resolve().parents[2] / "Tests/Fixtures/checkpoints"
out.mkdir(parents=True, exist_ok=True)
g = torch.Generator().manual_seed(3)
rand = lambda *s: torch.randn(*s, generator=g)

# Readable files.
base = rand(6, 5)
types = collections.OrderedDict(
    f32=rand(3, 4), f16=rand(7).half(), bf16=rand(2, 3).bfloat16(), f64=rand(4).double(),
    i64=torch.tensor([1, -(2**40)]), i32=torch.tensor([[7], [-8]], dtype=torch.int32),
    u8=torch.tensor([0, 255], dtype=torch.uint8), bool=torch.tensor([True, False]), scalar=torch.tensor(2.5),
    empty=torch.empty(0, 3), parameter=torch.nn.Parameter(rand(2, 2)))
views = {"whole": base, "transposed": base.t(), "part": base[1:4, ::2], "row": base[5],
         "channels_last": rand(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)}
net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
with torch.no_grad(): net[0].weight.copy_(rand(4, 3, 3, 3)); net[0].bias.copy_(rand(4))
optimizer = torch.optim.AdamW(net.parameters())
readable = {"types": types, "views": views, "module_state": net.state_dict(),
            "wrapped": {"epoch": 3, "state_dict": net.state_dict(), "optimizer": optimizer.state_dict(),
                        "args": {"lr": 1e-3, "names": ["a", "b"], "size": torch.Size([1, 2])}}}
for name, content in readable.items():
    for protocol in (2, 4, 5) if name == "types" else (2,):
        torch.save(content, out / f"{name}.{protocol}.pth", pickle_protocol=protocol)
    tensors = content.get("state_dict", content)
    save_file({k: (v.float() if v.dtype == torch.float64 else v).detach().contiguous().clone() for k, v in tensors.items()},
              out / f"{name}.safetensors", {"made_by": f"torch {torch.__version__}"})

# A published layout inside the wrapper that training on several devices leaves.
weights = load_file(out.parent / "layouts/hubert_weight_g/model.safetensors")
torch.save({"module." + k: v for k, v in weights.items()}, out / "hubert.bin")

# The same with every number of the directory in zip64 fields.
with zipfile.ZipFile(out / "views.2.pth") as source:
    zipfile.ZIP64_LIMIT = 1
    with zipfile.ZipFile(out / "views.64.pth", "w") as target:
        for item in source.infolist(): target.writestr(zipfile.ZipInfo(item.filename), source.read(item))
    zipfile.ZIP64_LIMIT = (1 << 31) - 1

# Files to be refused, with a part of the sentence that says why.
refused = {}


def archive(name, reason, data, records=(), method=zipfile.ZIP_STORED, pickle_name="archive/data.pkl"):
    with zipfile.ZipFile(out / f"refused-{name}.pth", "w") as z:
        # A ZipInfo of its own has no date of today.
        for key, value in ((pickle_name, data), *records): z.writestr(zipfile.ZipInfo(key), value, method)
    refused[f"refused-{name}.pth"] = reason


class Run:
    def __init__(self, function, *arguments): self.call = function, arguments
    def __reduce__(self): return self.call


def saved(name, reason, content, **more):
    torch.save(content, out / f"refused-{name}.pth", **more)
    refused[f"refused-{name}.pth"] = reason


saved("system", '"posix.system"', {"a": torch.zeros(1), "b": Run(os.system, "touch /tmp/never")})
saved("eval", '"builtins.eval"', Run(eval, "1"), pickle_protocol=4)
saved("whole-module", '"torch.nn.modules.container.Sequential"', torch.nn.Sequential())
saved("legacy", "before version 1.6", {"a": torch.zeros(1)}, _use_new_zipfile_serialization=False)
saved("list", "no dictionary of tensors", [torch.zeros(2)])
saved("expanded", "does not fit its storage", {"a": torch.zeros(1).expand(1 << 30)})
saved("complex", "ComplexFloatStorage", {"a": torch.zeros(2, dtype=torch.complex64)})
saved("short", "ShortStorage", {"a": torch.zeros(2, dtype=torch.int16)})

# Pickles by hand: a storage of four floats behind record 0, one tensor on it.
number = lambda n: b"\x8a\x08" + struct.pack("<q", n)
text = lambda s: b"X" + struct.pack("<I", len(s)) + s.encode()
name = lambda module, attribute: b"c" + module.encode() + b"\n" + attribute.encode() + b"\n"
listed = lambda values: b"(" + b"".join(number(v) for v in values) + b"t"


def tensor(offset=0, shape=(4,), strides=(1,), count=4, kind="FloatStorage", key="0"):
    storage = b"(" + text("storage") + name("torch", kind) + text(key) + text("cpu") + number(count) + b"tQ"
    return (name("torch._utils", "_rebuild_tensor_v2") + b"(" + storage + number(offset) + listed(shape)
            + listed(strides) + b"\x89" + name("collections", "OrderedDict") + b")Rt" + b"R")


def by_hand(label, reason, body, records=(("archive/data/0", bytes(16)),), **more):
    archive(label, reason, b"\x80\x02" + body + b".", records, **more)


one = lambda **k: b"}" + text("a") + tensor(**k) + b"s"
by_hand("offset", "does not fit its storage", one(offset=1))
by_hand("negative-offset", "does not fit its storage", one(offset=-1))
by_hand("stride", "does not fit its storage", one(shape=(2, 2), strides=(3, 1)))
by_hand("negative-stride", "does not fit its storage", one(offset=3, strides=(-1,)))
by_hand("overflow", "does not fit its storage", one(shape=(2**62, 2**62), strides=(2**62, 2**62)))
by_hand("empty-overflow", "does not fit its storage", one(shape=(0, 2**62, 2**62), strides=(1, 1, 1)))
by_hand("zero-stride", "does not fit its storage", one(shape=(2**40,), strides=(0,)))
by_hand("storage-size", "but 16 are there", one(count=5))
by_hand("huge-storage", "are there", one(count=2**62))
by_hand("negative-storage", "names a storage", one(count=-4))
by_hand("missing-record", "are missing", one(key="1"))
by_hand("outside-record", "are missing", one(key="../../secret"))
by_hand("deep", "no dictionary of tensors", b"]" * 100_000 + b"a" * 99_999)
by_hand("cycle", "no dictionary of tensors", b"]q\x00h\x00a")
by_hand("cyclic-dictionary", "no dictionary of tensors", b"}q\x00" + text("state_dict") + b"h\x00s")
by_hand("doubling", "no dictionary of tensors", b"]" + b"".join(b"2\x86" for _ in range(100)))
by_hand("duplicates", "no dictionary of tensors", b"]" + b"2" * 50_000 + b"0" * 50_000)
by_hand("huge-text", "damaged or cut off", b"\x8d" + struct.pack("<Q", 2**62))
by_hand("huge-number", "a number of 255 bytes", b"\x8a\xff" + bytes(255))
by_hand("huge-memo", "ends in the middle", b"}r\xff\xff\xff\xff" + b"}")
by_hand("empty-stack", "damaged or cut off", b"0")
by_hand("empty-build", "damaged or cut off", b"b")
by_hand("odd-items", "damaged or cut off", b"}(Nu")
by_hand("extension", "instruction 0x82", b"\x82\x01")
by_hand("new-object", "instruction 0x81", b"}))\x81")
by_hand("attributes", "sets the attributes", b"]}b")
by_hand("call-of-none", "calls something", b"N)R")
by_hand("strange-call", "in a way that torch.save does not", name("torch._utils", "_rebuild_tensor_v2") + b")R")
by_hand("storage-as-function", "in a way that torch.save does not", name("torch", "FloatStorage") + b")R")
archive("text-protocol", "no pickle of protocol", b"(dp0\n.")
archive("no-end", "damaged or cut off", b"\x80\x02}")
archive("compressed", "compressed", b"\x80\x02}." * 100, method=zipfile.ZIP_DEFLATED)
archive("no-pickle", "not one of torch.save", b"", pickle_name="archive/other")
by_hand("script", "TorchScript", one(), records=(("archive/constants.pkl", b""), ("archive/data/0", bytes(16))))
by_hand("big-endian", "little-endian", one(), records=(("archive/byteorder", b"big"), ("archive/data/0", bytes(16))))
(out / "refused-text.pth").write_text("<html>not found</html>\n"); refused["refused-text.pth"] = "no zip archive"
(out / "refused-pointer.pth").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
refused["refused-pointer.pth"] = "Git LFS"
damaged = bytearray((out / "views.2.pth").read_bytes()); at = damaged.index(base.numpy().tobytes()); damaged[at] ^= 1
(out / "refused-checksum.pth").write_bytes(damaged); refused["refused-checksum.pth"] = "damaged; copy"
(out / "refused.json").write_text(json.dumps(refused, indent=1, sort_keys=True) + "\n")
print(len(readable), "readable,", len(refused), "refused")
