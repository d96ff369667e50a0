"""Votes per second, first calls and compilations of this version and of another one, side by side in one run.

    git worktree add ../other COMMIT
    python benchmarks/between_versions.py ../other

Each version runs in a process of its own, on one JAX device and with default arguments, as everyone starts; rounds
alternate between the two. "First" is the time of the first call in a fresh process, imports left out.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
NETWORKS = ["linear", "mlp", "cnn", "lenet", "resnet20"]
IMAGES = 64


class Version:
    """A process that has one version of the library and answers one request after another."""

    def __init__(self, tree: pathlib.Path) -> None:
        path = os.pathsep.join([str(tree), str(HERE)])
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--worker"], env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def ask(self, *request: object) -> dict[str, float]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def answer_requests() -> None:
    """Read requests from stdin, line by line; write each answer to stdout."""
    import jax
    import numpy as np
    from networks import flax_classifier

    import jaxsmooth as js

    out, sys.stdout = sys.stdout, sys.stderr
    compiled: list[float] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, seconds, **_: compiled.append(seconds) if event.endswith("backend_compile_duration") else None
    )
    noise, known = js.noises.Gaussian(0.25), {}

    def classifier(name: str):
        if name not in known:
            classify, shape = flax_classifier(name)
            known[name] = classify, np.random.default_rng(0).random((IMAGES, *shape), np.float32)
        return known[name]

    def votes(name: str, n: int) -> None:
        classify, x = classifier(name)
        jax.block_until_ready(js.count_votes(jax.random.key(0), classify, noise, x[:1], n))

    def certify(name: str, images: int, n: int) -> None:
        classify, x = classifier(name)
        js.certify(jax.random.key(0), classify, noise, x[:images], n=n)

    def certify_curve(name: str, images: int, n_max: int) -> None:
        classify, x = classifier(name)
        js.certify_curve(jax.random.key(0), classify, noise, x[:images], [0, 0.25, 0.5], n_max=n_max)

    for line in sys.stdin:
        verb, name, *arguments = json.loads(line)
        classifier(name)
        compiled.clear()
        start, used = time.perf_counter(), time.process_time()
        {"votes": votes, "certify": certify, "certify_curve": certify_curve}[verb](name, *arguments)
        answer = {
            "seconds": time.perf_counter() - start, "processor": time.process_time() - used,
            "programs": len(compiled), "compiling": sum(compiled),
        }  # fmt: skip
        print(json.dumps(answer), file=out, flush=True)


def votes_per_second(other: pathlib.Path, networks: list[str], rounds: int, seconds: float) -> None:
    versions = {"other": Version(other), "this": Version(HERE.parent)}
    print(f"{'votes/s, default arguments':28}{'other':>12}{'this':>12}{'ratio':>9}  in the median round")
    for name in networks:
        n = 1024
        while (took := max(v.ask("votes", name, n)["seconds"] for v in versions.values())) < seconds / 2 or n == 1024:
            n *= max(2, min(16, int(seconds / took)))
        for version in versions.values():
            version.ask("votes", name, n)
        rates = {label: [] for label in versions}
        for _ in range(rounds):
            for label, version in versions.items():
                rates[label].append(n / version.ask("votes", name, n)["seconds"])
        paired = sorted(b / a for a, b in zip(rates["other"], rates["this"], strict=True))[rounds // 2]
        best = {label: max(values) for label, values in rates.items()}
        print(f"{name:28}{best['other']:12,.0f}{best['this']:12,.0f}{best['this'] / best['other']:9.2f}  {paired:.2f}")
    for version in versions.values():
        version.close()


def first_calls(other: pathlib.Path, name: str, rounds: int) -> None:
    calls = [
        ("certify, 64 images", ("certify", name, IMAGES, 2000)),
        ("then 37 images, n = 3000", ("certify", name, 37, 3000)),
        ("certify_curve, 64 images", ("certify_curve", name, IMAGES, 10_000)),
        ("then 37 images, n = 20000", ("certify_curve", name, 37, 20_000)),
    ]
    print(f"\n{f'first calls, {name}':28}{'':>8}{'seconds':>9}{'processor':>11}{'programs':>10}{'compiling':>11}")
    for first in (calls[:2], calls[2:]):
        found = {}
        for _ in range(rounds):
            for label, tree in (("other", other), ("this", HERE.parent)):
                version = Version(tree)
                for title, request in first:
                    found.setdefault((title, label), []).append(version.ask(*request))
                version.close()
        for (title, label), answers in found.items():
            best = min(answers, key=lambda answer: answer["seconds"])
            print(
                f"{title:28}{label:>8}{best['seconds']:9.2f}{best['processor']:11.2f}{best['programs']:10}"
                f"{best['compiling']:11.2f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=pathlib.Path, nargs="?", help="a checkout of the other version")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS, help="default: all of them")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3, help="length of one round, about")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        answer_requests()
        return
    if options.other is None:
        parser.error("name a checkout of the other version, for example: git worktree add ../other COMMIT")
    votes_per_second(options.other.resolve(), options.networks, options.rounds, options.seconds)
    first = "cnn" if "cnn" in options.networks else options.networks[-1]
    first_calls(options.other.resolve(), first, min(3, options.rounds))


if __name__ == "__main__":
    main()
