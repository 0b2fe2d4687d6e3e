"""`python -m bench.serving`: what the local server costs over gRPC, beside the same model in process.

The server is a process of its own, called by `serving.client`. What it is compared with is what a Python user would
write instead, in the process that is the client otherwise: `tf.saved_model.load(...).signatures["serving_default"]`, a
constant in and numpy out; and, where TF_SERVING_BINARY names one, a real tensorflow_model_server that refuses no call.
They take turns in short blocks, so that a machine that gets slower or busier favours no one;
ratios are medians over these rounds. Prints Markdown and writes JSON.
"""

from __future__ import annotations

import trainer.tensorflow_setup.keras_policy  # noqa: F401  isort: skip

import argparse
import contextlib
import functools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypedDict, TypeVar

import tensorflow as tf
import tensorflow_text  # noqa: F401  registers the encoder's ops

from bench.servers import LOCAL, MODEL, Machine, machine, make_headlines, newest_version, running_server
from serving.client import Client
from serving.client.bulk.score import CALLS_PER_CHUNK
from serving.protocol.tensors import string_tensor
from serving.server.servable import LoadOptions, Servable
from trainer import features

GRPC, REAL, IN_PROCESS, SESSION = "gRPC", "gRPC, tensorflow_model_server", "in process", "in process, session"
_TURNS_OF_BULK = 4

#: Scores texts, and does nothing with the scores.
Scorer = Callable[[Sequence[str]], object]


_Result = TypeVar("_Result")


class Latency(TypedDict):
    """Of single rows."""

    clients: int
    who: str
    p50_ms: float
    p99_ms: float
    p50_ratio: float


class Throughput(TypedDict):
    """Of calls of some rows."""

    rows_per_call: int
    who: str
    rows_per_s: float
    ratio: float


class Bulk(TypedDict):
    """Of many texts; figures by the way that they went."""

    rows: int
    rows_per_s: dict[str, float]
    ratio: dict[str, float]


class Figures(TypedDict):
    """All that is measured."""

    machine: Machine
    version: int
    latency: list[Latency]
    throughput: list[Throughput]
    bulk: Bulk


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model_base_path", type=Path, default=Path("output/serving") / MODEL)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=200, help="single rows a round and client count; default 200")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--rows_per_call", type=int, nargs="+", default=[1, 64, 512])
    parser.add_argument("--bulk_rows", type=int, default=100_000)
    parser.add_argument("--json", type=Path, help="a file for all figures")
    parser.add_argument("flags", nargs="*", help="after `--`: goes on to the server")
    args = parser.parse_args(arguments)
    version = newest_version(args.model_base_path)
    facts = machine()
    with tempfile.TemporaryDirectory(prefix="bench-serving-") as scratch, contextlib.ExitStack() as stack:

        def client_of(name: str, *flags: str, program: Sequence[str] = LOCAL) -> Client:
            running = running_server(args.model_base_path, Path(scratch, name), *flags, program=program)
            return stack.enter_context(Client(stack.enter_context(running).target, model=MODEL))

        client = client_of("local.log", *args.flags)
        scorers: dict[str, Scorer] = {GRPC: client.predict}
        if binary := os.environ.get("TF_SERVING_BINARY"):
            scorers[REAL] = client_of("real.log", "--grpc_max_threads=256", program=[binary]).predict
        scorers |= {IN_PROCESS: _in_process(version), SESSION: _session(version)}
        figures: Figures = {
            "machine": facts,
            "version": int(version.name),
            "latency": _measure_latency(scorers, args),
            "throughput": _measure_throughput(scorers, args),
            "bulk": _measure_bulk(client, scorers[IN_PROCESS], args),
        }
    print(_markdown(figures))
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2), encoding="utf-8")


def _in_process(version: Path) -> Scorer:
    signature = tf.saved_model.load(str(version)).signatures[features.RAW_SIGNATURE]
    return lambda texts: signature(**{features.TITLE: tf.constant(texts)})[features.PROBABILITY].numpy()


def _session(version: Path) -> Scorer:
    servable = Servable(MODEL, int(version.name), version, LoadOptions())
    signature = servable.signatures[features.RAW_SIGNATURE]
    fetches = [signature.outputs[features.PROBABILITY].name]
    return lambda texts: servable.run(
        {features.TITLE: string_tensor(text.encode() for text in texts)}, signature.inputs, fetches
    )


def _measure_latency(scorers: dict[str, Scorer], args: argparse.Namespace) -> list[Latency]:
    """Measures the latency of single rows, by the number of clients, each of which calls again once it is answered."""
    texts = make_headlines(args.calls)
    latencies: list[Latency] = []
    for clients in args.clients:
        with ThreadPoolExecutor(clients) as pool:

            def block(score: Scorer, pool=pool, clients=clients) -> list[float]:
                parts = [texts[number::clients] for number in range(clients)]
                timed = pool.map(lambda part: _time_each(score, part), parts)
                return [seconds for part in timed for seconds in part]

            rounds = _take_turns(scorers, block, args.rounds)
        latencies += [
            {
                "clients": clients,
                "who": who,
                "p50_ms": 1e3 * _quantile([seconds for calls in measured for seconds in calls], 0.5),
                "p99_ms": 1e3 * _quantile([seconds for calls in measured for seconds in calls], 0.99),
                "p50_ratio": _ratio(
                    [_quantile(calls, 0.5) for calls in measured], [_quantile(calls, 0.5) for calls in beside]
                ),
            }
            for who, measured in rounds.items()
            for beside in [rounds[IN_PROCESS]]
        ]
    return latencies


def _measure_throughput(scorers: dict[str, Scorer], args: argparse.Namespace) -> list[Throughput]:
    """Of one client that sends calls of so many rows, one after the other."""
    throughputs: list[Throughput] = []
    for rows in args.rows_per_call:
        texts = make_headlines(max(args.calls, 2 * rows))
        calls = [texts[start : start + rows] for start in range(0, len(texts) - rows + 1, rows)]

        def block(score: Scorer, calls: Sequence[Sequence[str]] = calls) -> float:
            return sum(_time_calls(score, calls))

        rounds = _take_turns(scorers, block, args.rounds)
        throughputs += [
            {
                "rows_per_call": rows,
                "who": who,
                "rows_per_s": len(calls) * rows / statistics.median(seconds),
                "ratio": _ratio(rounds[IN_PROCESS], seconds),
            }
            for who, seconds in rounds.items()
        ]
    return throughputs


def _measure_bulk(client: Client, in_process: Scorer, args: argparse.Namespace) -> Bulk:
    """Of many texts, as `clickbait predict --input` sends them; in process in batches of the same size."""
    rows = client.options.rows_per_call
    texts = make_headlines(args.bulk_rows)
    part = -(-len(texts) // _TURNS_OF_BULK)
    parts = [texts[start : start + part] for start in range(0, len(texts), part)]

    def batches(texts: Sequence[str]) -> None:
        for start in range(0, len(texts), rows):
            in_process(texts[start : start + rows])

    def over_grpc(texts: Sequence[str]) -> None:
        size = rows * CALLS_PER_CHUNK
        for _ in client.predict_chunks(texts[start : start + size] for start in range(0, len(texts), size)):
            pass

    ways: dict[str, Callable[[Sequence[str]], object]] = {
        GRPC: over_grpc,
        IN_PROCESS: batches,
        f"{IN_PROCESS}, sorted by length": lambda texts: batches(sorted(texts, key=len)),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for number, texts_of_turn in enumerate(parts):
        for way in ways if number % 2 == 0 else reversed(ways):
            seconds[way].append(_time(functools.partial(ways[way], texts_of_turn)))
    return {
        "rows": len(texts),
        "rows_per_s": {way: len(texts) / sum(spent) for way, spent in seconds.items()},
        "ratio": {way: sum(seconds[IN_PROCESS]) / sum(spent) for way, spent in seconds.items()},
    }


def _take_turns(
    scorers: dict[str, Scorer], block: Callable[[Scorer], _Result], rounds: int
) -> dict[str, list[_Result]]:
    results: dict[str, list[_Result]] = {who: [] for who in scorers}
    for number in range(-1, rounds):  # the first is to warm up
        for who in scorers if number % 2 == 0 else reversed(scorers):
            measured = block(scorers[who])
            if number >= 0:
                results[who].append(measured)
    return results


def _time_each(score: Scorer, texts: Sequence[str]) -> list[float]:
    return _time_calls(score, [[text] for text in texts])


def _time_calls(score: Scorer, calls: Sequence[Sequence[str]]) -> list[float]:
    return [_time(functools.partial(score, texts)) for texts in calls]


def _time(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def _ratio(figures: Sequence[float], others: Sequence[float]) -> float:
    # Of rounds beside each other, so that what slows the machine down slows both.
    return statistics.median(figure / other for figure, other in zip(figures, others, strict=True))


def _markdown(figures: Figures) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in figures["machine"].items())
    lines = [facts, "", "| clients, 1 row a call | who | p50 ms | p99 ms | p50 / in process |", "|---|---|---|---|---|"]
    lines += [
        f"| {row['clients']} | {row['who']} | {row['p50_ms']:.2f} | {row['p99_ms']:.2f} | {row['p50_ratio']:.2f} |"
        for row in figures["latency"]
    ]
    lines += ["", "| rows a call, 1 client | who | rows a second | / in process |", "|---|---|---|---|"]
    lines += [
        f"| {row['rows_per_call']} | {row['who']} | {row['rows_per_s']:,.0f} | {row['ratio']:.2f} |"
        for row in figures["throughput"]
    ]
    bulk = figures["bulk"]
    lines += ["", f"| {bulk['rows']:,} headlines | rows a second | / in process |", "|---|---|---|"]
    lines += [f"| {way} | {bulk['rows_per_s'][way]:,.0f} | {ratio:.2f} |" for way, ratio in bulk["ratio"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
