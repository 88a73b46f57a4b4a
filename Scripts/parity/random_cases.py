"""Makes reference cases of random small models, in the form that `unmask models check` reads.

usage: random_cases.py OUT [COUNT] [SEED] [FAMILY...]
OUT gets COUNT folders (20 unless told) a family, each a model of random size and options with random inputs. Outputs,
gradients and updated buffers are computed in float64. A tolerance is the usual one, or eight times the error of the
reference's own float32 pass where a random model is so badly conditioned that this is more; models that float32 cannot
compute to a percent are left out. Then: unmask models check OUT
Versions: PyTorch 2.13, torchvision 0.28, transformers 5.23.
"""
import json
import pathlib
import random
import shutil
import sys

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers.models.efficientnet.modeling_efficientnet import round_filters
from torchvision.models.video.resnet import BasicBlock, BasicStem, Conv3DSimple, VideoResNet

TOLERANCE = {"outputs": 2e-5, "gradients": 2e-4, "updated": 2e-5, "loss_over_loss_scale": 2e-5,
             "zero_gradients_over_largest_gradient_norm": 1e-5}
ACTIVATIONS = ["gelu", "gelu", "quick_gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_python", "relu", "silu",
               "swish", "tanh", "sigmoid", "gelu_accurate", "gelu_python_tanh", "gelu_10", "leaky_relu", "linear", "mish",
               "relu2", "relu6", "hardswish"]
EPSILONS = [1e-3, 1e-5, 1e-6, 1e-12]
pick = random.choice


def heads_and_width(largest=5):
    heads = random.randint(1, largest)
    return heads, heads * random.choice([1, 3, 4, 7, 8, 12, 16])


def clip():
    heads, width = heads_and_width()
    patch, channels = random.randint(2, 9), pick([1, 3, 3, 4])
    size = patch * random.randint(2, 6) + pick([0, 0, 1])
    projected = pick([True, False])
    config = transformers.CLIPVisionConfig(
        hidden_size=width, num_attention_heads=heads, num_hidden_layers=random.randint(1, 4),
        intermediate_size=random.randint(3, 90), patch_size=patch, image_size=size, num_channels=channels,
        hidden_act=pick(ACTIVATIONS), layer_norm_eps=pick(EPSILONS), projection_dim=random.randint(3, 30))
    kind = transformers.CLIPVisionModelWithProjection if projected else transformers.CLIPVisionModel
    shape = [random.randint(1, 3), channels, size, size]
    call = {}
    if pick([True, False]):
        shape[2:] = [random.randint(patch, 9 * patch), random.randint(patch, 9 * patch)]
        call = {"interpolate_pos_encoding": True}
    names = ["last_hidden_state", "image_embeds" if projected else "pooler_output"]
    return kind(config), {"pixel_values": torch.randn(shape)}, call, names, ["eval"]


def dinov2():
    heads, width = heads_and_width()
    patch, channels = random.randint(2, 9), pick([1, 3, 3, 4])
    size = patch * random.randint(2, 7) + pick([0, 0, 1])
    registers = pick([True, False])
    settings = dict(
        hidden_size=width, num_attention_heads=heads, num_hidden_layers=random.randint(1, 4), mlp_ratio=pick([1, 2, 3, 4]),
        patch_size=patch, image_size=size, num_channels=channels, hidden_act=pick(ACTIVATIONS),
        layer_norm_eps=pick(EPSILONS), qkv_bias=pick([True, False]), use_swiglu_ffn=pick([True, False]),
        layerscale_value=pick([1.0, 0.1]))
    masked = pick([True, False])
    if registers:
        config = transformers.Dinov2WithRegistersConfig(num_register_tokens=random.randint(0, 5), **settings)
        model = transformers.Dinov2WithRegistersModel(config)
    else:
        token = pick([True, True, False])
        masked = masked and token
        config = transformers.Dinov2Config(use_mask_token=token, **settings)
        model = transformers.Dinov2Model(config)
    shape = [random.randint(1, 3), channels] + pick(
        [[size, size], [random.randint(patch, 9 * patch), random.randint(patch, 9 * patch)], [patch * 5, patch * 5]])
    inputs = {"pixel_values": torch.randn(shape)}
    if masked:
        inputs["bool_masked_pos"] = torch.rand(shape[0], (shape[2] // patch) * (shape[3] // patch)) < 0.4
    return model, inputs, {}, ["last_hidden_state", "pooler_output"], ["eval"]


def convnext():
    stages, channels = random.randint(1, 4), pick([1, 3, 3, 4])
    patch = pick([1, 2, 4, 5])
    config = transformers.ConvNextConfig(
        num_channels=channels, patch_size=patch, num_stages=stages,
        hidden_sizes=[random.randint(3, 30) for _ in range(stages)], depths=[random.randint(1, 3) for _ in range(stages)],
        hidden_act=pick(ACTIVATIONS), layer_norm_eps=pick(EPSILONS), layer_scale_init_value=pick([0.0, 1e-6, 1.0]))
    least = patch << (stages - 1)
    shape = [random.randint(1, 3), channels, random.randint(least, 9 * least), random.randint(least, 9 * least)]
    return (transformers.ConvNextModel(config), {"pixel_values": torch.randn(shape)}, {},
            ["last_hidden_state", "pooler_output"], ["eval"])


def efficientnet():
    stages = random.randint(1, 5)
    width, divisor = random.uniform(0.05, 0.3), pick([1, 2, 4, 8])
    outs = [pick([16, 24, 40, 80, 112]) for _ in range(stages)]
    config = transformers.EfficientNetConfig(
        num_channels=pick([1, 3, 3]), image_size=64, width_coefficient=width, depth_coefficient=random.uniform(0.4, 2.2),
        depth_divisor=divisor, kernel_sizes=[pick([3, 5, 7]) for _ in range(stages)], in_channels=[32] + outs[:-1],
        out_channels=outs, strides=[pick([1, 2]) for _ in range(stages)],
        num_block_repeats=[random.randint(1, 3) for _ in range(stages)],
        expand_ratios=[pick([1, 2, 6]) for _ in range(stages)], squeeze_expansion_ratio=pick([0.25, 0.5, 0.1]),
        hidden_act=pick(ACTIVATIONS), pooling_type=pick(["mean", "mean", "max"]),
        depthwise_padding=random.sample(range(8), random.randint(0, 4)), batch_norm_eps=pick([1e-3, 1e-5]),
        batch_norm_momentum=pick([0.99, 0.1, 0.5]), drop_connect_rate=0.0, dropout_rate=0.0)
    config.hidden_dim = round_filters(config, 1280)
    model = transformers.EfficientNetModel(config)
    shape = [random.randint(1, 3), config.num_channels, random.randint(33, 90), random.randint(33, 90)]
    shape[0] += 1  # batch norm of a lone 1x1 picture has no variance
    return (model, {"pixel_values": torch.randn(shape)}, {}, ["last_hidden_state", "pooler_output"], ["eval", "train"])


def speech(config_class, model_class, extra):
    heads, width = heads_and_width()
    layers = random.randint(1, 7)
    groups = pick([g for g in range(1, width + 1) if width % g == 0][:6])
    kernels = [pick([10, 7, 5])] + [pick([1, 2, 3, 4]) for _ in range(layers - 1)]
    strides = [pick([5, 4])] + [pick([1, 2]) for _ in range(layers - 1)]
    strides = [min(pair) for pair in zip(kernels, strides)]
    settings = dict(
        hidden_size=width, num_attention_heads=heads, num_hidden_layers=random.randint(1, 3),
        intermediate_size=random.randint(3, 70), hidden_act=pick(ACTIVATIONS), feat_extract_activation=pick(ACTIVATIONS),
        feat_extract_norm=pick(["group", "layer"]), layer_norm_eps=pick(EPSILONS), conv_bias=pick([True, False]),
        conv_dim=[random.randint(3, 20) for _ in range(layers)], conv_kernel=kernels, conv_stride=strides,
        num_conv_pos_embeddings=random.randint(1, 19), num_conv_pos_embedding_groups=groups,
        do_stable_layer_norm=pick([True, False]), hidden_dropout=0.0, activation_dropout=0.0, attention_dropout=0.0,
        feat_proj_dropout=0.0, layerdrop=0.0, final_dropout=0.0)
    settings.update(extra())
    model = model_class(config_class(**settings))
    need = 1
    for kernel, stride in zip(reversed(kernels), reversed(strides)):
        need = (need - 1) * stride + kernel
    step = 1
    for stride in strides:
        step *= stride
    shape = [random.randint(1, 3), need + step * random.randint(6, 40) + random.randint(0, 9)]
    inputs = {"input_values": torch.randn(shape)}
    frames = int(model._get_feat_extract_output_lengths(torch.tensor(shape[1])))
    if pick([True, False]):
        mask = torch.ones(shape, dtype=torch.long)
        for row in range(1 if shape[0] > 1 else 0, shape[0]):
            mask[row, random.randint(need + step, shape[1]):] = 0
        inputs["attention_mask"] = mask
    if pick([True, False, False]):
        inputs["mask_time_indices"] = torch.rand(shape[0], frames) < 0.3
    return model, inputs, {}, ["last_hidden_state"], ["eval"]


def wav2vec2():
    model, inputs, call, names, modes = speech(transformers.Wav2Vec2Config, transformers.Wav2Vec2Model, dict)
    return model, inputs, call, names + ["extract_features"], modes


def hubert():
    return speech(transformers.HubertConfig, transformers.HubertModel, lambda: {
        "feat_proj_layer_norm": pick([True, False]), "conv_pos_batch_norm": pick([True, False, False])})


def classifier(base):
    """The model of another family under the classifier that published checkpoints have."""
    def made():
        model, inputs, call, _, modes = base()
        config = model.config
        config.num_labels = random.randint(2, 6)
        if isinstance(config, transformers.CLIPVisionConfig):
            config = transformers.CLIPConfig(vision_config=config.to_dict(), num_labels=config.num_labels)
            # The classifier takes no other picture sizes.
            side = config.vision_config.image_size
            inputs = {"pixel_values": torch.randn(2, config.vision_config.num_channels, side, side)}
        if hasattr(config, "conv_kernel"):
            config.classifier_proj_size = random.randint(3, 20)
            inputs.pop("mask_time_indices", None)
        # What only pictures that are partly hidden have.
        inputs.pop("bool_masked_pos", None)
        name = type(config).__name__.removesuffix("Config")
        kind = getattr(transformers, name + ("ForSequenceClassification" if hasattr(config, "conv_kernel")
                                             else "ForImageClassification"))
        return kind(config), inputs, {}, ["logits"], modes
    return made


class Video(torch.nn.Module):
    """r3d_18 of other widths and depths, with features beside the logits."""

    def __init__(self, widths, layers, classes):
        super().__init__()
        net = VideoResNet(BasicBlock, [Conv3DSimple] * 4, [1] * 4, BasicStem, classes)
        net.stem = torch.nn.Sequential(
            torch.nn.Conv3d(3, widths[0], (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False),
            torch.nn.BatchNorm3d(widths[0]), torch.nn.ReLU())
        net.inplanes = widths[0]
        for index in range(4):
            setattr(net, f"layer{index + 1}", net._make_layer(
                BasicBlock, Conv3DSimple, widths[index], layers[index], stride=1 if index == 0 else 2))
        net.fc = torch.nn.Linear(widths[3], classes)
        self.net = net

    def forward(self, video):
        x = self.net.stem(video)
        for index in range(4):
            x = getattr(self.net, f"layer{index + 1}")(x)
        features = self.net.avgpool(x).flatten(1)
        return {"features": features, "logits": self.net.fc(features)}


def r3d():
    config = {"architecture": "r3d_18", "layers": [random.randint(1, 3) for _ in range(4)],
              "widths": [random.randint(3, 14) for _ in range(4)], "num_classes": random.randint(2, 9)}
    model = Video(config["widths"], config["layers"], config["num_classes"])
    shape = [random.randint(2, 3), 3, random.randint(1, 11), random.randint(9, 40), random.randint(9, 40)]
    return model, {"video": torch.randn(shape)}, {}, ["features", "logits"], ["eval", "train"], config


class Sequence(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.net = torch.nn.LSTM(**{key: value for key, value in config.items() if key != "architecture"})

    def forward(self, sequence, h0=None, c0=None, lengths=None):
        state = None if h0 is None else (h0, c0)
        if lengths is None:
            output, (h, c) = self.net(sequence, state)
        else:
            first = self.net.batch_first
            packed = torch.nn.utils.rnn.pack_padded_sequence(sequence, lengths, batch_first=first, enforce_sorted=False)
            output, (h, c) = self.net(packed, state)
            output, _ = torch.nn.utils.rnn.pad_packed_sequence(
                output, batch_first=first, total_length=sequence.shape[1 if first else 0])
        return {"output": output, "h_n": h, "c_n": c}


def lstm():
    config = {"architecture": "LSTM", "input_size": random.randint(1, 20), "hidden_size": random.randint(2, 24),
              "num_layers": random.randint(1, 3), "bidirectional": pick([True, False]), "batch_first": pick([True, False]),
              "bias": pick([True, True, False]), "dropout": 0.0, "proj_size": 0}
    if pick([True, False, False]):
        config["proj_size"] = random.randint(1, config["hidden_size"] - 1)
    model = Sequence(config)
    batch, time = random.randint(1, 4), random.randint(1, 12)
    lone = random.random() < 0.15
    shape = [batch, time] if config["batch_first"] else [time, batch]
    inputs = {"sequence": torch.randn([time, config["input_size"]] if lone else shape + [config["input_size"]])}
    states = config["num_layers"] * (2 if config["bidirectional"] else 1)
    if pick([True, False]):
        middle = [] if lone else [batch]
        inputs["h0"] = torch.randn([states] + middle + [config["proj_size"] or config["hidden_size"]])
        inputs["c0"] = torch.randn([states] + middle + [config["hidden_size"]])
    if not lone and pick([True, False]):
        inputs["lengths"] = torch.tensor([random.randint(1, time) for _ in range(batch)])
    return model, inputs, {}, ["output", "h_n", "c_n"], ["eval"], config


FAMILIES = {"clip": clip, "dinov2": dinov2, "convnext": convnext, "efficientnet": efficientnet, "wav2vec2": wav2vec2,
            "hubert": hubert, "r3d": r3d, "lstm": lstm}
FAMILIES |= {f"{name}-classifier": classifier(FAMILIES[name])
             for name in ["clip", "dinov2", "convnext", "efficientnet", "wav2vec2", "hubert"]}


def randomise(model):
    """No tensor is trivial: norms, biases, tokens and running statistics all differ from what they begin with."""
    for name, value in list(model.named_parameters()) + list(model.named_buffers()):
        if not value.is_floating_point():
            continue
        with torch.no_grad():
            if name.endswith("running_var"):
                value.copy_(1 + 0.5 * torch.rand_like(value))
            elif value.dim() >= 2 and "token" not in name and "position" not in name and "original0" not in name:
                value.normal_(0, (1.0 / max(1, value[0].numel())) ** 0.5)
            elif name.endswith("bias") or name.endswith("running_mean") or value.dim() >= 2 and "original0" not in name:
                value.normal_(0, 0.3)
            else:
                value.copy_(1 + 0.3 * torch.randn_like(value))


def relative(found, expected):
    norm = float(expected.norm())
    error = float((found.double() - expected.double()).norm())
    return error / norm if norm else error


def run(model, inputs, call, names, mode, cotangents, dtype):
    """Outputs, loss, gradients and updated buffers in a precision."""
    model = model.to(dtype).train(mode == "train")
    leaves = {key: value.detach().to(dtype).requires_grad_() if value.is_floating_point() else value
              for key, value in inputs.items()}
    result = model(**leaves, **call)
    outputs = {name: result[name] for name in names}
    for name, value in outputs.items():
        cotangents.setdefault(name, torch.randn(value.shape))
    parts = [value * cotangents[name].to(dtype) for name, value in outputs.items()]
    loss, scale = sum(part.mean() for part in parts), sum(part.abs().mean() for part in parts)
    model.zero_grad()
    loss.backward()
    return leaves, outputs, loss, scale


def collect(model, leaves, stored_name):
    """Gradients by the names that tensors have in the file, and those that are not used."""
    unused, gradients = [], {}
    for name, parameter in model.named_parameters():
        key = "grad." + stored_name(name)
        if parameter.grad is None:
            unused.append(key)
        gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        if "half of " in key:
            # The file has the two halves of a gated layer as one tensor, the gate first.
            key = key.replace("half of ", "")
            gradient = torch.cat([gradients[key], gradient]) if key in gradients else gradient
        gradients[key] = gradient.clone()
    for name, value in leaves.items():
        if value.is_floating_point():
            gradients[f"grad_input.{name}"] = value.grad.clone()
    return gradients, unused


def make(folder, family):
    made = FAMILIES[family]()
    model, inputs, call, names, modes = made[:5]
    randomise(model)
    folder.mkdir(parents=True)
    if len(made) == 6:
        (folder / "config.json").write_text(json.dumps(made[5], indent=1) + "\n")
        save_file({name: value.contiguous() for name, value in model.net.state_dict().items()}, folder / "model.safetensors")
    else:
        model.save_pretrained(folder)
    # What each tensor is called in the file: a save may rename, but it keeps the values.
    stored = load_file(folder / "model.safetensors")
    start = {name: value.clone() for name, value in model.state_dict().items()}

    def stored_name(name):
        value = start[name]
        if ".gate_proj." in name or ".up_proj." in name:
            return "half of " + name.replace("gate_proj", "weights_in").replace("up_proj", "weights_in")
        same = [key for key, other in stored.items() if other.shape == value.shape and torch.equal(other, value)]
        tail = [key for key in same if name.endswith(key) or key.endswith(name)]
        assert len(tail or same) == 1 or family == "r3d" or not value.numel(), f"{name} is stored as {same}"
        return (tail or same)[0]

    cases = []
    for mode in modes:
        # The float32 pass first: it says how well conditioned the case is.
        cotangents, errors = {}, {}
        model.float().load_state_dict(start)
        try:
            leaves, rough, _, _ = run(model, inputs, call, names, mode, cotangents, torch.float32)
        except RuntimeError as error:
            if "Kernel size can't be greater" in str(error):
                return False
            raise
        rough_gradients, _ = collect(model, leaves, stored_name)
        rough_buffers = {name: value.clone() for name, value in model.named_buffers()}
        model.double().load_state_dict(start)
        leaves, outputs, loss, scale = run(model, inputs, call, names, mode, cotangents, torch.float64)
        gradients, unused = collect(model, leaves, stored_name)
        tensors = {f"input.{key}": (value.to(torch.uint8) if value.dtype == torch.bool else value)
                   for key, value in inputs.items()}
        tensors |= {f"expected.{key}": value.detach().float() for key, value in outputs.items()}
        tensors |= {f"cotangent.{key}": value for key, value in cotangents.items()}
        tensors["expected.loss"] = loss.detach().float()
        largest = max(float(value.norm()) for value in gradients.values())
        zeros = [key for key, value in gradients.items() if key not in unused and float(value.norm()) < 1e-9 * largest]
        if any(key.startswith("grad_input") for key in zeros) or not largest:
            return False
        tensors |= {key: value.detach().float() for key, value in gradients.items()}
        errors["outputs"] = max(relative(rough[name], value) for name, value in outputs.items())
        errors["gradients"] = max(
            (relative(rough_gradients[key], value) for key, value in gradients.items() if key not in zeros + unused),
            default=0)
        errors["zero_gradients_over_largest_gradient_norm"] = max(
            (float(rough_gradients[key].norm()) / largest for key in zeros), default=0)
        if mode == "train":
            for name, value in model.named_buffers():
                tensors["updated." + stored_name(name)] = value.float() if value.is_floating_point() else value
            errors["updated"] = max(
                relative(rough_buffers[name], value) for name, value in model.named_buffers()
                if value.is_floating_point())
        if not max(errors.values()) < 0.01:
            return False
        file = "case.safetensors" if mode == "eval" else f"case_{mode}.safetensors"
        save_file({key: value.contiguous() for key, value in tensors.items()}, folder / file)
        tolerance = {key: max(value, 8 * errors.get(key, 0)) for key, value in TOLERANCE.items()}
        cases.append({"file": file, "mode": mode, "call": call, "tolerance": tolerance, "loss_scale": float(scale),
                      "largest_gradient_norm": largest, "gradients_exactly_zero_unused": unused,
                      "gradients_zero_in_exact_arithmetic": zeros, "float32_vs_float64": errors})
    meta = {"name": folder.name, "class": type(model).__name__, "cases": cases}
    (folder / "meta.json").write_text(json.dumps(meta, indent=1) + "\n")
    return True


def main():
    out = pathlib.Path(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    torch.set_num_threads(1)
    for family in sys.argv[4:] or FAMILIES:
        for index in range(count):
            random.seed(f"{seed} {family} {index}")
            torch.manual_seed(random.getrandbits(62))
            folder = out / f"{family}-{seed}-{index}"
            while not make(folder, family):
                shutil.rmtree(folder)
        print(family, count, flush=True)


main()
