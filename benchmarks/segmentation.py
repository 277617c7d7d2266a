"""How fast networks run: ``python benchmarks/segmentation.py [--rounds N] [--json PATH]``.

TransUNet R50-ViT-B/16, 6 channels, 224 x 224, random weights: spinekit's engine, OpenVINO and torch as
written, each in a process of its own, in turn, on two threads. Also what they load in and take of memory, and
how near their logits are to those of the torch module. Needs ``pip install openvino``; writes
results/segmentation.json.

OpenVINO 2026.4 (and 2024.6, 2025.4) crashes on this network in f32 where GroupNorm meets GroupNorm in an
addition, unless its snippets are switched off or the norms are written by way of a layer norm. Both are
measured; what is faster counts.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results"
THREADS = 2
SIZE = 224
CHANNELS = 6
BATCHES = (1, 8)
RUNS = {1: 15, 8: 5}

#: Contenders, by the name they have in tables.
CONTENDERS = {
    "spinekit fp32": ("spinekit", "fp32"),
    "spinekit bf16": ("spinekit", "bf16"),
    "OpenVINO f32": ("openvino", "f32"),
    "OpenVINO bf16": ("openvino", "bf16"),
    "torch, eager": ("torch", "fp32"),
    "torch, eager, autocast to bf16": ("torch", "bf16"),
}
#: Ways to have OpenVINO compile it; the norms as they are, or by way of a layer norm.
WAYS = {"norms as they are": {"SNIPPETS_MODE": "DISABLE"}, "norms rewritten": {}}


def films(batch: int) -> np.ndarray:
    return np.random.default_rng(batch).normal(size=(batch, CHANNELS, SIZE, SIZE)).astype(np.float32)


def timed(work: Callable[[], Any], runs: int) -> list[float]:
    for _ in range(3):
        work()
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - started))
    return times


def reference(folder: Path) -> Any:
    import torch

    from spinekit import nn

    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    path = folder / "w.safetensors"
    if not path.exists():
        model = nn.TransUNet("r50-vit-b16", classes=8, channels=CHANNELS, size=SIZE)
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
        nn.save(model, path)
    return nn.load(path).eval()


def export(folder: Path) -> None:
    """Write what others run, and the logits to compare with."""
    import openvino as ov
    import torch

    from spinekit.nn.resnet import StdConv2d

    class Rewritten(torch.nn.Module):
        def __init__(self, norm: torch.nn.GroupNorm) -> None:
            super().__init__()
            self.norm = norm

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            n, c, h, w = x.shape
            norm = self.norm
            groups = x.reshape(n, norm.num_groups, -1)
            y = torch.nn.functional.layer_norm(groups, groups.shape[2:], eps=norm.eps).reshape(n, c, h, w)
            return y * norm.weight.view(1, -1, 1, 1) + norm.bias.view(1, -1, 1, 1)

    def replace(model: torch.nn.Module, of: type, by: Callable[[Any], torch.nn.Module]) -> None:
        for module in list(model.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, of):
                    setattr(module, name, by(child))

    def folded(old: StdConv2d) -> torch.nn.Conv2d:
        variance, mean = torch.var_mean(old.weight, (1, 2, 3), correction=0, keepdim=True)
        new = torch.nn.Conv2d(
            old.in_channels, old.out_channels, old.kernel_size, old.stride, old.padding, bias=False
        )
        new.weight = torch.nn.Parameter((old.weight - mean) / torch.sqrt(variance + 1e-5))
        return new

    model = reference(folder)
    with torch.inference_mode():
        for batch in BATCHES:
            np.save(folder / f"logits{batch}.npy", model(torch.from_numpy(films(batch))).numpy())
    replace(model, StdConv2d, folded)
    for way in WAYS:
        if way == "norms rewritten":
            replace(model, torch.nn.GroupNorm, Rewritten)
        for batch in BATCHES:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                shape = [batch, CHANNELS, SIZE, SIZE]
                converted = ov.convert_model(model, example_input=torch.randn(shape), input=shape)
            ov.save_model(converted, folder / f"{way}{batch}.xml", compress_to_fp16=False)


def run(contender: str, batch: int, way: str, folder: Path) -> dict[str, Any]:
    """Load one contender in this process and time it."""
    tool, precision = CONTENDERS[contender]
    started = time.perf_counter()
    x = films(batch)
    if tool == "spinekit":
        import torch  # the import of OpenVINO does not count either

        import spinekit as sk

        started = time.perf_counter()
        segmenter = sk.Segmenter(folder / "w.safetensors", precision=precision, threads=THREADS)
        loaded = time.perf_counter() - started

        def work() -> np.ndarray:
            return segmenter.forward(x)
    elif tool == "openvino":
        import openvino as ov

        core = ov.Core()
        started = time.perf_counter()
        options = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": THREADS,
            "NUM_STREAMS": 1,
            **WAYS[way],
        }
        compiled = core.compile_model(core.read_model(folder / f"{way}{batch}.xml"), "CPU", options)
        loaded = time.perf_counter() - started
        request = compiled.create_infer_request()

        def work() -> np.ndarray:
            return request.infer({0: x})[0]
    else:
        import torch

        started = time.perf_counter()
        model = reference(folder)
        loaded = time.perf_counter() - started

        def work() -> np.ndarray:
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                return model(torch.from_numpy(x)).float().numpy()

    logits = np.array(work())
    times = timed(work, RUNS[batch])
    exact = np.load(folder / f"logits{batch}.npy")
    both = (logits > 0) & (exact > 0)
    return {
        "times": times,
        "load_seconds": loaded,
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "error": float(np.abs(logits - exact).max() / np.abs(exact).max()),
        "dice": float(2 * both.sum() / ((logits > 0).sum() + (exact > 0).sum())),
    }


def child(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, __file__, "--child", *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout


def compare(rounds: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        child("export", folder)
        for k in range(rounds):
            for batch in BATCHES:
                for name, (tool, _) in CONTENDERS.items():
                    for way in WAYS if tool == "openvino" else [""]:
                        print(f"round {k + 1}: {name}, batch {batch} {way}", file=sys.stderr)
                        result = json.loads(child("run", folder, name, str(batch), way))
                        ways = found.setdefault(name, {}).setdefault(str(batch), {})
                        ways.setdefault(way, []).append(result)
    return {name: {batch: best(ways) for batch, ways in batches.items()} for name, batches in found.items()}


def best(ways: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Sum the rounds of each way up, and return the faster way."""
    summed = []
    for way, results in ways.items():
        times = [ms for result in results for ms in result["times"]]
        summed.append(
            {
                "ms": statistics.median(times),
                "ms_least": min(times),
                "ms_most": max(times),
                "load_seconds": statistics.median(result["load_seconds"] for result in results),
                "peak_megabytes": max(result["peak_megabytes"] for result in results),
                "error": max(result["error"] for result in results),
                "dice": min(result["dice"] for result in results),
                "way": way,
            }
        )
    return min(summed, key=lambda one: one["ms"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=RESULTS / "segmentation.json")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        if arguments.child[0] == "export":
            export(Path(arguments.child[1]))
        else:
            _, folder, name, batch, way = arguments.child
            print(json.dumps(run(name, int(batch), way, Path(folder))))
        return

    import openvino
    import torch

    load = os.getloadavg()[0]
    speed = compare(arguments.rounds)
    report = {
        "speed": speed,
        "rounds": arguments.rounds,
        "threads": THREADS,
        "size": SIZE,
        "channels": CHANNELS,
        "machine": f"{os.cpu_count()} cores, {cpu()}",
        "load_average_before": load,
        "versions": {"torch": torch.__version__, "OpenVINO": openvino.__version__.split("-")[0]},
    }
    arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    for name, batches in speed.items():
        for batch, v in batches.items():
            print(
                f"{name:32} batch {batch}: {v['ms']:7.1f} ms ({v['ms_least']:.1f} to {v['ms_most']:.1f}), "
                f"load {v['load_seconds']:.1f} s, peak {v['peak_megabytes']:.0f} MB, "
                f"error {v['error']:.1e}, Dice {v['dice']:.5f}"
            )


def cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


if __name__ == "__main__":
    main()
