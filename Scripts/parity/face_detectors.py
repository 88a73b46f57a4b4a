#!/usr/bin/env python3
"""Writes the two small ONNX files of Tests/Fixtures/faces: networks with the inputs and outputs of YuNet, of 2022 and of
2023, that take every cell of 32 by 32 green pixels for a face with known box and landmarks. Ours, and free of any training.

    python3 Scripts/parity/face_detectors.py      # needs onnx and numpy
"""
import math
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = Path(__file__).resolve().parents[2] / "Tests" / "Fixtures" / "faces"
# In units of a cell (32 pixels) from its upper left corner: right eye, left eye, nose, right and left corner of the mouth.
POINTS = [(0.25, 0.25), (0.75, 0.25), (0.5, 0.5), (0.3, 0.75), (0.7, 0.75)]

PRIORS = 64 * 3 + 16 * 2 + 4 * 2 + 1 * 3  # boxes of a picture of 64 by 64


class Graph:
    def __init__(self):
        self.nodes, self.weights, self.outputs = [], [], []

    def constant(self, name, array):
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def node(self, kind, inputs, output, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def cells(self, stride, gains, biases, name):
        """For each output channel its gain times the cell's mean of green less red and blue, plus its bias."""
        if not self.nodes:
            green = np.array([-1, 1, -1], np.float32).reshape(1, 3, 1, 1) / 255  # blue, green, red
            self.node("Conv", ["input", self.constant("green_w", green)], "green", kernel_shape=[1, 1])
        mean = self.node(
            "AveragePool", ["green"], f"{name}_mean", kernel_shape=[stride, stride], strides=[stride, stride])
        kernel = self.constant(f"{name}_w", np.array(gains, np.float32).reshape(-1, 1, 1, 1))
        bias = self.constant(f"{name}_b", np.array(biases, np.float32))
        return self.node("Conv", [mean, kernel, bias], f"{name}_map", kernel_shape=[1, 1])

    def rows(self, source, columns, name, batched):
        turned = self.node("Transpose", [source], f"{name}_turned", perm=[0, 2, 3, 1])
        shape = [1, -1, columns] if batched else [-1, columns]
        return self.node("Reshape", [turned, self.constant(f"{name}_shape", np.array(shape, np.int64))], name)

    def save(self, file, outputs):
        infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()]
        size = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 64, 64])
        graph = helper.make_graph(self.nodes, "green", [size], infos, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], producer_name="unmask")
        model.ir_version = 6
        file.write_bytes(model.SerializeToString())
        print(file, file.stat().st_size)


def of_2023():
    graph, outputs = Graph(), {}
    for kind in ("cls", "obj", "bbox", "kps"):
        for stride in (8, 16, 32):
            name = f"{kind}_{stride}"
            gains = [1.0 if stride == 32 else 0.0] if kind in ("cls", "obj") else [0.0] * (4 if kind == "bbox" else 10)
            biases = {
                "cls": [0.0], "obj": [0.0], "bbox": [0.5, 0.5, math.log(40 / stride), math.log(48 / stride)],
                "kps": [value for point in POINTS for value in point]}[kind]
            graph.rows(graph.cells(stride, gains, biases, name), len(biases), name, True)
            outputs[name] = [1, (64 // stride) ** 2, len(biases)]
    graph.save(FOLDER / "green_2023.onnx", outputs)


def of_2022():
    graph = Graph()
    for kind, columns in (("loc", 14), ("conf", 2), ("iou", 1)):
        parts = []
        for stride, sizes in ((8, 3), (16, 2), (32, 2), (64, 3)):
            gains, biases = [], []
            for box in range(sizes):
                fires = stride == 32 and box == 0  # a square of 64 pixels around the cell's middle
                if kind == "loc":
                    gains += [0.0] * 14
                    # Offsets from the middle as shares of the box, times ten: the network's "variance".
                    biases += [0.0] * 4 + [(value - 0.5) * 32 / 64 * 10 for point in POINTS for value in point]
                elif kind == "conf":
                    gains += [0.0, 1.0 if fires else 0.0]
                    biases += [0.0, 0.0]
                else:
                    gains.append(0.0)
                    biases.append(1.0)
            name = f"{kind}_{stride}"
            parts.append(graph.rows(graph.cells(stride, gains, biases, name), columns, name, False))
        graph.node("Concat", parts, kind, axis=0)
    graph.save(FOLDER / "green_2022.onnx", {"loc": [PRIORS, 14], "conf": [PRIORS, 2], "iou": [PRIORS, 1]})


of_2022()
of_2023()
