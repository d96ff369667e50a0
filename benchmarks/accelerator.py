"""What one GPU or TPU makes of it, within eight minutes: one JSON and one table for the docs.

    python benchmarks/accelerator.py --output outputs/accelerator
    python benchmarks/accelerator.py --quick      # tiny networks, to see on a CPU that it runs

Needs JAX, NumPy and SciPy; PyTorch is compared with where it is installed and sees the device. In this order, and what
does not fit into ``--minutes`` is left out:
  checks     js.self_check on the device
  equal      certificates at a fixed key on the device and on the CPU, for a classifier whose scores are exact
  rates      samples per second of votes, of the bare forward pass and of the noise alone, over batch sizes, for
             ResNet-110 (32x32x3) and ResNet-50 (224x224x3), float32 and bfloat16; the plain PyTorch loop beside them
  curve      samples per second inside certify_curve, over those of votes: what the host costs
  trace      the share of the device's time outside the network, from a trace
Goal: votes at .95 of the bare forward pass, ahead of the PyTorch loop.
"""

import argparse
import collections
import functools
import glob
import gzip
import json
import pathlib
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from residual_networks import NETWORKS, jax_classifier, torch_classifier

import jaxsmooth as js

SIGMA = 0.5
NOISE = js.noises.Gaussian(SIGMA)
BATCH_SIZES = {"resnet110": (1024, 2048, 4096, 512), "resnet50": (256, 512, 128), "tiny": (64,)}


def image_of(name: str, number: int = 1) -> np.ndarray:
    return np.random.default_rng(0).random((number, *NETWORKS[name].shape), np.float32)


def checks() -> dict[str, Any]:
    report = js.self_check()
    print(report, flush=True)
    return {"passed": report.passed, "checks": {check.name: check.found for check in report.checks}}


def exact_scores(x: jax.Array) -> jax.Array:
    """Small integers: equal in any order of summation and in any float format."""
    grid = jnp.clip(jnp.round(x * 8), -64, 64).reshape(x.shape[0], -1)
    weights = np.random.default_rng(1).integers(-2, 3, (grid.shape[1], 5)).astype(np.float32)
    return grid @ jnp.asarray(weights)


def equal(n: int) -> dict[str, Any]:
    """Certificates of 64 images on the device and on the CPU."""
    x, found = image_of("tiny", 64), {}
    for noise in (js.noises.Gaussian(SIGMA), js.noises.Uniform(SIGMA), js.noises.Laplace(SIGMA)):
        norm = 2 if isinstance(noise, js.noises.Gaussian) else 1
        results = []
        for device in (jax.devices()[0], jax.devices("cpu")[0]):
            with jax.default_device(device):
                results.append(js.certify(jax.random.key(0), exact_scores, noise, x, norm=norm, n=n))
        here, there = results
        found[type(noise).__name__] = {
            "labels equal": int((here.label == there.label).sum()),
            "radii equal": int((here.radius == there.radius).sum()),
            "largest difference of a count": int(np.abs(here.votes.counts - there.votes.counts).max()),
            "images": len(x),
        }
        print(f"certificates here and on the CPU, {noise}: {found[type(noise).__name__]}", flush=True)
    return found


def rates(name: str, dtype: str) -> Iterator[dict[str, Any]]:
    """One row for each batch size."""
    classify, x = jax_classifier(name, dtype), image_of(name)
    for batch_size in (*BATCH_SIZES[name][:1], None, *BATCH_SIZES[name][1:]):
        try:
            found = js.measure_throughput(jax.random.key(0), classify, NOISE, x, batch_size=batch_size)
        except Exception as error:  # a batch that does not fit into memory
            yield {"network": name, "dtype": dtype, "batch size": batch_size, "error": type(error).__name__}
            continue
        yield {
            "network": name, "dtype": dtype, "batch size": found.batch_size, "picked": batch_size is None,
            "votes": found.votes, "forward": found.forward, "noise": found.noise, "votes / forward": found.ratio,
        }  # fmt: skip


def torch_rates(name: str, dtype: str, seconds: float) -> Iterator[dict[str, Any]]:
    """The usual loop in PyTorch, where it sees the device."""
    try:
        import torch
    except ImportError:
        return
    if jax.default_backend() == "gpu" and not torch.cuda.is_available():
        return
    device = "cuda" if jax.default_backend() == "gpu" else "cpu"
    torch.backends.cudnn.benchmark = True
    network = torch_classifier(name).to(device)
    height, width, channels = NETWORKS[name].shape
    x = torch.rand((channels, height, width), device=device)
    for layout in (torch.contiguous_format, torch.channels_last):
        for batch_size in BATCH_SIZES[name]:
            row = {"network": name, "dtype": dtype, "batch size": batch_size, "layout": str(layout)}
            try:
                yield {**row, "votes": torch_loop(network, x, batch_size, layout, dtype, seconds)}
            except RuntimeError as error:  # out of memory
                yield {**row, "error": str(error)[:80]}


def torch_loop(network: Any, x: Any, batch_size: int, layout: Any, dtype: str, seconds: float) -> float:
    """Repeat the image, add noise, classify, count on the host; samples per second."""
    import torch

    network = network.to(memory_format=layout)

    def one_batch() -> np.ndarray:
        batch = x.repeat((batch_size, 1, 1, 1)).to(memory_format=layout)
        with torch.no_grad(), torch.autocast(x.device.type, torch.bfloat16, enabled=dtype == "bfloat16"):
            predictions = network(batch + torch.randn_like(batch) * SIGMA).argmax(1)
        return np.bincount(predictions.cpu().numpy())

    for _ in range(3):
        one_batch()
    start, batches = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - start) < seconds:
        one_batch()
        batches += 1
    return batches * batch_size / elapsed


def curve(name: str, dtype: str, images: int, n_max: int) -> dict[str, Any]:
    """Samples per second inside certify_curve, beside those of the voting loop just before and after."""
    classify, x = jax_classifier(name, dtype), image_of(name, images)
    run = lambda n: js.certify_curve(jax.random.key(0), classify, NOISE, x, [0.0, 0.5, 1.0], n_max=n)
    run(1000)
    start = time.perf_counter()
    found = run(n_max)
    seconds, samples = time.perf_counter() - start, int(found.samples.sum())
    after = js.measure_throughput(jax.random.key(0), classify, NOISE, x).votes
    return {
        "network": name, "dtype": dtype, "samples": samples, "seconds": seconds, "samples/s": samples / seconds,
        "votes": after, "share": samples / seconds / after,
    }  # fmt: skip


def trace(name: str, dtype: str, n: int) -> dict[str, Any]:
    """The device's time by what it was spent on, from the operations' names: ``call`` is the network."""
    classify, x = jax_classifier(name, dtype), image_of(name)
    run = lambda: jax.block_until_ready(js.count_votes(jax.random.key(0), classify, NOISE, x, n))
    run()
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder, create_perfetto_trace=True):
            run()
        paths = glob.glob(f"{folder}/**/*.trace.json.gz", recursive=True)
        events = json.loads(gzip.open(paths[0]).read())["traceEvents"] if paths else []
    devices = {
        event["pid"] for event in events
        if event.get("name") == "process_name" and "/device:" in event["args"]["name"]
    }  # fmt: skip
    spent: collections.Counter[str] = collections.Counter()
    names: collections.Counter[str] = collections.Counter()
    for event in events:
        arguments = event.get("args") or {}
        if event.get("pid") in devices and event.get("ph") == "X" and "hlo_op" in arguments:
            path = arguments.get("tf_op") or arguments.get("long_name") or ""
            where = "unnamed" if not path else "network" if "call" in path else "outside"
            spent[where] += event["dur"]
            if where != "network":
                names[arguments["hlo_op"].rstrip("0123456789.")] += event["dur"]
    total = sum(spent.values())
    share = {where: microseconds / total for where, microseconds in spent.items()}
    return {"network": name, "dtype": dtype, "share": share, "outside": dict(names.most_common(8)), "events": total > 0}


def table(found: dict[str, Any]) -> str:
    """The best rows, in Markdown."""
    lines = [
        f"On {found['device']}, jax {found['jax']}; samples/s at the best batch size, and at the one that is picked.",
        "",
        "| network | type | bare forward | votes | votes / bare | picked | noise alone | PyTorch loop | votes / that |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    keys = dict.fromkeys((row["network"], row["dtype"]) for row in found["rates"] if "votes" in row)
    for name, dtype in keys:
        mine = [row for row in found["rates"] if (row["network"], row["dtype"]) == (name, dtype) and "votes" in row]
        forward, votes, noise = (max(row[kind] for row in mine) for kind in ("forward", "votes", "noise"))
        picked = next((f"{row['votes']:,.0f} at {row['batch size']}" for row in mine if row["picked"]), "-")
        torch = [r["votes"] for r in found["torch"] if (r["network"], r["dtype"]) == (name, dtype) and "votes" in r]
        versus = [f"{max(torch):,.0f}", f"{votes / max(torch):.2f}"] if torch else ["-", "-"]
        cells = [name, dtype, f"{forward:,.0f}", f"{votes:,.0f}", f"**{votes / forward:.3f}**", picked, f"{noise:,.0f}"]
        lines.append(f"| {' | '.join([*cells, *versus])} |")
    for row in found["curve"]:
        lines.append(
            f"\ncertify_curve, {row['network']}, {row['dtype']}: {row['samples/s']:,.0f} samples/s, "
            f"{row['share']:.3f} of the voting loop."
        )
    for row in found["trace"]:
        shares = ", ".join(f"{where} {share:.3f}" for where, share in row["share"].items()) or "no device events"
        lines.append(f"\nTrace, {row['network']}, {row['dtype']}: {shares}.")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs/accelerator"))
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    device = jax.devices()[0]
    found: dict[str, Any] = {
        "device": device.device_kind, "platform": device.platform, "jax": jax.__version__, "jaxsmooth": js.__version__,
        "rates": [], "torch": [], "curve": [], "trace": [], "seconds": {},
    }  # fmt: skip
    options.output.parent.mkdir(parents=True, exist_ok=True)

    def keep(title: str, work: Callable[[], Any], into: list[Any] | None = None) -> None:
        """Do a part, if there is time; write what is known after it. A part that fails does not take the rest along."""
        if time.monotonic() > end:
            print(f"{title}: left out, no time", flush=True)
            return
        start = time.monotonic()
        try:
            result = work()
            for row in result if into is not None else []:
                into.append(row)
                print(row, flush=True)
                if time.monotonic() > end:
                    break
            if into is None:
                found[title] = result
        except Exception as error:
            found.setdefault("errors", {})[title] = f"{type(error).__name__}: {error}"[:500]
            print(f"{title}: {type(error).__name__}: {error}", flush=True)
        found["seconds"][title] = time.monotonic() - start
        options.output.with_suffix(".json").write_text(json.dumps(found, indent=1))
        options.output.with_suffix(".md").write_text(table(found) + "\n")

    networks = ("tiny",) if options.quick else ("resnet110", "resnet50")
    first, dtypes = networks[0], ("bfloat16", "float32")
    images, n_max, n = (16, 2000, 1000) if options.quick else (256, 20_000, 65_536)
    draws, seconds = (1000, 0.2) if options.quick else (10_000, 2.0)
    keep("checks", checks)
    keep("equal", lambda: equal(draws))
    for name in networks:
        for dtype in dtypes:
            keep(f"rates {name} {dtype}", functools.partial(rates, name, dtype), found["rates"])
            keep(f"torch {name} {dtype}", functools.partial(torch_rates, name, dtype, seconds), found["torch"])
        if name == first:
            keep("curve", lambda: [curve(first, "bfloat16", images, n_max)], found["curve"])
            keep("trace", lambda: [trace(first, "bfloat16", n)], found["trace"])
    print(f"\n{table(found)}")


if __name__ == "__main__":
    main()
