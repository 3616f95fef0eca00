"""From the answers of an MLPerf Tiny device to the content of `tiny.json`, and its folder."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from statistics import median
from typing import TYPE_CHECKING, Any, Final, Literal

from harness.errors import StorageError
from harness.hostpaced.tiny import RULES, Plan
from harness.measure.evidence import Reason
from harness.report import sealed, store
from harness.report.tiny_schema import KIND, SCHEMA, TinyResult, check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.hostpaced.tiny import Measured, TinyRun
    from harness.report.tiny_schema import Accuracy, Clocked, RunItem, Spread, Wire

RESULT: Final = "tiny.json"
Mode = Literal["performance", "accuracy"]
SIMULATED: Final = (
    "the device's times are simulated board time, the host's are those of the simulator"
)
_CLOCKS_AGREE: Final = Fraction(5, 100)
_CLOCKS_NS: Final = 100_000_000


@dataclass(frozen=True, slots=True, eq=False)
class TinyRecord:
    """Everything a result is made of.

    Args:
        name: Short name of the benchmark.
        mode: `performance` or `accuracy`.
        overlay: Whose outputs the golden ones are.
        target: As the user wrote it.
        plan: How much was asked for; None in accuracy mode.
        measured: What was measured.
        golden: Golden outputs by event.
        truth: True class by event, -1 for none; empty in performance mode.
        labels: Names of the classes.
        simulated: Whether the device gives simulated time.
        device: Its name, profile and model.
        wire: The port.
        seeds: Every seed by what it was for.
        facts: Versions, machine, source tree and times.
    """

    name: str
    mode: Mode
    overlay: str
    target: str
    plan: Plan | None
    measured: Measured
    golden: Sequence[Sequence[float]]
    truth: Sequence[int]
    labels: Sequence[str]
    simulated: bool
    device: Mapping[str, str]
    wire: Wire
    seeds: Mapping[str, int]
    facts: Mapping[str, Any]


def build(record: TinyRecord) -> TinyResult:
    """Return the content of `tiny.json`."""
    measured, plan = record.measured, record.plan
    items = [_item(run, record.golden) for run in measured.runs]
    wrong = [item["event"] for item in items if not item["golden"]]
    reasons = list(_doubts(record, items))
    effects = {reason.effect for reason in reasons}
    # One inference says little of a clock of microseconds: accuracy mode reports no times.
    timed = items if record.mode == "performance" else []
    device = _clocked("device", [(i["iterations"], i["device"]["elapsed_us"]) for i in timed])
    host = _clocked("host", [(i["iterations"], i["host"]["elapsed_ns"] / 1000) for i in timed])
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "mode": record.mode,
        "verdict": next((effect for effect in ("invalid", "fail") if effect in effects), "pass"),
        "reasons": [
            {
                "effect": reason.effect,
                "what": reason.what,
                "evidence": reason.evidence,
                "recommendation": reason.recommendation,
            }
            for reason in reasons
        ],
        "name": record.name,
        "overlay": record.overlay,
        "target": record.target,
        "rules": None
        if plan is None
        else {
            "runs": plan.runs,
            "least_ns": plan.least_ns,
            "least_inferences": plan.least_inferences,
            "warmups": plan.warmups,
            "official": _official(plan),
        },
        "device": {
            **device,
            "simulated": record.simulated,
            "name": record.device["name"],
            "profile": record.device["profile"],
            "model": record.device["model"],
            "resolution_us": measured.resolution_us,
        },
        "host": host,
        "runs": timed,
        "outputs": {
            "compared": len(items),
            "mismatches": len(wrong),
            "first_mismatch": wrong[0] if wrong else None,
        },
        "accuracy": _accuracy(record) if record.mode == "accuracy" else None,
        "wire": record.wire,
        "seeds": dict(record.seeds),
        "facts": dict(record.facts),
    }


def write(out_dir: Path, result: TinyResult) -> Path:
    """Write one result and return its folder.

    Args:
        out_dir: Folder that `store.prepare` returned.
        result: Content of `tiny.json`.

    Raises:
        StorageError: It could not be written; nothing that looks like a result is left.
    """
    return store.write_files(out_dir, result["name"], {RESULT: sealed.as_json(result)})


def load(folder: Path) -> TinyResult:
    """Read one result back and verify every byte of it.

    Raises:
        StorageError: It is not one, or is damaged, or was written by a newer harness.
    """
    files = store.read_files(folder)
    if RESULT not in files:
        raise StorageError(f"holds no {RESULT}", where=str(folder))
    return check(sealed.parse_json(files[RESULT], folder / RESULT), str(folder / RESULT))


def _official(plan: Plan) -> bool:
    return (
        plan.runs == RULES.runs
        and plan.least_ns >= RULES.least_ns
        and plan.least_inferences >= RULES.least_inferences
    )


def _item(run: TinyRun, golden: Sequence[Sequence[float]]) -> RunItem:
    found = run.inference
    return {
        "event": run.event,
        "iterations": found.iterations,
        "warmups": found.warmups,
        "device": {
            "start_us": found.start_us,
            "end_us": found.end_us,
            "elapsed_us": found.device_us,
        },
        "host": {"elapsed_ns": found.host_ns, "command_ns": found.command_ns},
        "results": list(found.results.values),
        "golden": found.results.agrees(tuple(golden[run.event])),
    }


def _clocked(time_base: str, took: Sequence[tuple[int, float]]) -> Clocked:
    """Return rates and times of runs, given as inferences and us."""
    known = bool(took) and all(us > 0 for _, us in took)
    return {
        "time_base": time_base,
        "inferences_per_s": _spread([n * 1e6 / us for n, us in took]) if known else None,
        "inference_us": _spread([us / n for n, us in took]) if known else None,
    }


def _spread(values: Sequence[float]) -> Spread:
    return {"median": median(values), "min": min(values), "max": max(values)}


def _accuracy(record: TinyRecord) -> Accuracy:
    classes = len(record.labels)
    confusion = [[0] * classes for _ in range(classes)]
    correct = golden_correct = 0
    runs = record.measured.runs
    for run in runs:
        truth, top = record.truth[run.event], run.inference.results.top
        golden = record.golden[run.event]
        correct += top == truth
        golden_correct += max(range(len(golden)), key=golden.__getitem__) == truth
        if top < classes:
            confusion[truth][top] += 1
    return {
        "inputs": len(runs),
        "correct": correct,
        "top1": correct / len(runs),
        "golden_top1": golden_correct / len(runs),
        "labels": list(record.labels),
        "confusion": confusion,
    }


def _doubts(record: TinyRecord, items: Sequence[RunItem]) -> Iterator[Reason]:
    measured = record.measured
    if measured.broken_off is not None:
        yield Reason(
            "invalid", "the run was broken off", measured.broken_off, "repair it and repeat"
        )
    wrong = [item["event"] for item in items if not item["golden"]]
    if wrong:
        yield Reason(
            "fail",
            "outputs are not those of the golden model",
            f"{len(wrong)} of {len(items)} answers differ, the first is of event {wrong[0]}",
            "compare the deployed model file with the one of the overlay",
        )
    if record.device["model"] != record.overlay:
        yield Reason(
            "note",
            "the device names another model",
            f"{record.device['model']!r}, the benchmark's overlay is {record.overlay!r}",
            "is it the right device?",
        )
    if record.plan is not None:
        yield from _timing_doubts(record, record.plan, items)
    if record.wire["stray_lines"]:
        yield Reason(
            "note",
            "lines came that belong to no answer",
            f"{record.wire['stray_lines']}, the first: {record.wire['first_stray']!r}",
            "printing takes time; leave it out of th_infer",
        )
    if record.simulated:
        yield Reason("note", "simulated", SIMULATED, "run on a board for times of a board")


def _timing_doubts(record: TinyRecord, plan: Plan, items: Sequence[RunItem]) -> Iterator[Reason]:
    short = [i for i in items if i["device"]["elapsed_us"] * 1000 < plan.least_ns]
    if short:
        yield Reason(
            "invalid",
            "a run was too short",
            f"{short[0]['device']['elapsed_us']} us by the device, {plan.least_ns / 1e3:g} needed",
            "the device's speed varies; repeat",
        )
    if not _official(plan):
        yield Reason(
            "note",
            "shorter than MLPerf Tiny asks for",
            f"{plan.runs} runs of at least {plan.least_ns / 1e9:g} s, not {RULES.runs} of "
            f"{RULES.least_ns / 1e9:g} s",
            "leave --quick out for a figure to publish",
        )
    if record.simulated:
        return
    for item in items:
        device_ns, host_ns = item["device"]["elapsed_us"] * 1000, item["host"]["elapsed_ns"]
        allowed_ns = max(_CLOCKS_NS, int(_CLOCKS_AGREE * host_ns))
        if abs(device_ns - host_ns) > allowed_ns:
            yield Reason(
                "invalid",
                "the clocks of device and host contradict each other",
                f"the device says {device_ns / 1e9:.3f} s, {host_ns / 1e9:.3f} s passed here",
                "check what th_timestamp counts; it must be microseconds",
            )
            return
