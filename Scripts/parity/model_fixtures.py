"""Copies reference cases of models into Tests/Fixtures, without what only helps to find errors.

usage: model_fixtures.py CASES [TARGET]
CASES is the whole tree of reference cases (models/, layouts/, full/names/). Tensors `debug.*` are left out, and so are
case files that repeat another family's path through the code: the repository keeps some 6 MiB of the 14.
"""
import json
import pathlib
import shutil
import sys

from safetensors import safe_open
from safetensors.torch import save_file

# Case files to keep, by model; all where a model is not named.
KEEP = {
    "clip_vision": ["case_interpolated.safetensors"],
    "dinov2": ["case_masked.safetensors"],
    "dinov2_registers": ["case_interpolated_down.safetensors"],
    "efficientnet": ["case_train.safetensors"],
    "wav2vec2_base": ["case_time_masked.safetensors", "case_padded.safetensors"],
    "wav2vec2_large": ["case_padded.safetensors"],
    "hubert_base": ["case_padded.safetensors"],
}


def copy(source: pathlib.Path, target: pathlib.Path) -> None:
    with safe_open(source, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys() if not name.startswith("debug.")}
    save_file(tensors, target, metadata={"format": "pt"})


def main() -> None:
    cases = pathlib.Path(sys.argv[1])
    fixtures = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else pathlib.Path(__file__).parents[2] / "Tests/Fixtures")
    for tree in ("models", "layouts"):
        for folder in sorted(path for path in (cases / tree).iterdir() if path.is_dir()):
            target = fixtures / tree / folder.name
            target.mkdir(parents=True, exist_ok=True)
            meta = json.loads((folder / "meta.json").read_text())
            if "cases" in meta and folder.name in KEEP:
                meta["cases"] = [case for case in meta["cases"] if case["file"] in KEEP[folder.name]]
            (target / "meta.json").write_text(json.dumps(meta, indent=1) + "\n")
            shutil.copy(folder / "config.json", target)
            shutil.copy(folder / "model.safetensors", target)
            for case in meta.get("cases", [{"file": "case.safetensors"}]):
                copy(folder / case["file"], target / case["file"])
    names = fixtures / "full" / "names"
    names.mkdir(parents=True, exist_ok=True)
    for file in (cases / "full" / "names").glob("*.txt"):
        shutil.copy(file, names)


main()
