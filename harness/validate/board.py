"""Steps on the board: configured, the right design, its clock, its temperature."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from harness import session
from harness.errors import ImageError
from harness.fabric.stream_bench import StreamBench
from harness.firmware.check import Check, equal
from harness.measure.validity import CLOCK_TOLERANCE
from harness.registers import ABI_MAJOR, Fault, Status
from harness.session import BENCH, Clock
from harness.targets import open_target
from harness.targets.sensors import temperatures
from harness.validate.step import Number, Skip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.targets import Target
    from harness.validate.context import Context
    from harness.validate.step import Evidence

MANAGER: Final = "/sys/class/fpga_manager/fpga0/"
_HOTTEST: Final = {"c": 85.0, "e": 100.0, "i": 100.0}
"""Degrees Celsius of the junction, by the temperature grade at the end of the part's name."""
_CHANGE_S: Final = 3.0
_WINDOW_S: Final = 1.0
_WRONG_IMAGE: Final = "load the image built from this overlay"


def load(context: Context) -> Iterator[Evidence]:
    """The board takes the image, or is found to run one."""
    image = context.image
    if image is None:
        raise ImageError("was not read", where=".bit")
    context.progress.stage(f"opening {context.where}")
    purpose = f"validating {context.overlay.name}"
    target = context.target = context.held.enter_context(
        open_target(
            context.where,
            context.board,
            context.progress.stage,
            wait_s=context.wait_s,
            purpose=purpose,
            leased=context.load,
        )
    )
    ranges = context.ranges = target.load(image) if context.load else target.attach(image)
    if BENCH not in ranges:
        raise ImageError(f"the design has no {BENCH}", where=str(image.hwh or image.bit))
    if context.load:
        # At another rate than it was built for, even the identity is hearsay.
        set_hz = target.set_clock(float(image.clock_hz))
        context.clock = Clock(image.clock_hz, image.clock_hz, set_hz, 0.0)
    mover = (
        session.block_mover(target, image, ranges) if context.load and target.prefers_dma else None
    )
    context.bench = StreamBench(target, ranges[BENCH], mover)
    done = "loaded" if context.load else "found running"
    if context.board.uart is not None:
        done = "found running; nothing is loaded over a serial line"
    yield f"{done} on {context.board.title}, {target.time_base}"


def configuration(context: Context) -> Iterator[Evidence]:
    """What fpga_manager says of the fabric."""
    state = context.opened.read_text(f"{MANAGER}state")
    if state is None:
        raise Skip("this way to reach the board has no fpga_manager")
    yield equal("fpga_manager state", "operating", state, "load the image again; see dmesg")
    status = context.opened.read_text(f"{MANAGER}status")
    if status is not None:
        yield equal("fpga_manager status", "", status, "the device reports a faulty image")
    yield f"fpga_manager says {state}"


def identity(context: Context) -> Iterator[Evidence]:
    """The identity block is the overlay's, to the last field."""
    found = context.identity = context.measuring.identify()
    overlay, sizes = context.overlay, context.overlay.bench
    yield equal("digest", overlay.digest, found.digest, _WRONG_IMAGE)
    yield equal("register map", ABI_MAJOR, found.abi[0], _WRONG_IMAGE)
    for what, expected, value in (
        ("clock of the manifest, Hz", overlay.clock_hz, found.clock_hz),
        ("bytes of an input beat", overlay.input.beat_bytes, found.in_bytes),
        ("bytes of an output beat", overlay.output.beat_bytes, found.out_bytes),
        ("rows of the event memory", sizes.event_rows, found.event_rows),
        ("rows of the golden memory", sizes.golden_rows, found.golden_rows),
        ("entries of the derandomiser", sizes.queue_depth - 1, found.queue_entries),
        ("bins of a histogram", sizes.histogram_bins, found.histogram_bins),
        ("entries of the trace", sizes.trace_depth, found.trace_entries),
        ("entries of the gap table", sizes.gap_entries, found.gap_entries),
    ):
        yield equal(what, expected, value, _WRONG_IMAGE)
    yield f"digest {found.digest}, register map {found.abi[0]}.{found.abi[1]}"


def clock(context: Context) -> Iterator[Evidence]:
    """The fabric clock, counted in the fabric against time, is what it was built for."""
    target, nominal_hz = context.opened, float(context.overlay.built_clock_hz(context.board.name))
    set_hz = context.clock.set_hz if context.clock is not None else target.clock_hz()
    if set_hz is not None:
        yield _near("clock set, Hz", nominal_hz, set_hz, 0.0, "the dividers cannot make it")
    if context.load:
        measured_hz, give_hz = session.measure_clock(target, context.measuring)
    else:
        measured_hz, give_hz = _overheard(target, context.measuring)
    yield Number("clock_measured_hz", measured_hz)
    yield Number("clock_uncertainty_hz", give_hz)
    context.clock = Clock(nominal_hz, nominal_hz, set_hz or nominal_hz, measured_hz, give_hz)
    known = give_hz <= CLOCK_TOLERANCE * measured_hz or not context.load
    hint = "the link answers too irregularly: use a quieter one"
    yield Check(
        "uncertainty, Hz",
        f"at most {CLOCK_TOLERANCE * nominal_hz:.6g}",
        f"{give_hz:.3g}",
        known,
        hint,
        "invalid",
        same=False,
    )
    hint = "check the board's clock source and who else sets it; it may be throttled"
    yield _near("clock measured, Hz", nominal_hz, measured_hz, give_hz, hint)
    off = measured_hz / nominal_hz - 1
    yield f"{measured_hz / 1e6:.6g} MHz measured, built for {nominal_hz / 1e6:.6g} ({off:+.2%})"


def _near(what: str, wanted: float, found: float, known: float, hint: str) -> Check:
    holds = abs(found - wanted) - known <= CLOCK_TOLERANCE * wanted
    return Check(
        what, f"{wanted:.9g}, to {CLOCK_TOLERANCE:.1%}", f"{found:.9g}", holds, hint, same=False
    )


def _overheard(target: Target, bench: StreamBench) -> tuple[float, float]:
    """Return clock and uncertainty from snapshots that somebody else takes, in Hz.

    The cycle counter is seen through a snapshot, and taking one is a write. Where the owner of a
    run takes them, their instants are seen as well as this machine looks.
    """
    if target.time_base == "simulated fabric":
        raise Skip("simulated time passes with somebody's accesses, and these are this one's own")
    first_ns, first, early_ns = _await_change(target, bench)
    time.sleep(_WINDOW_S)
    last_ns, last, late_ns = _await_change(target, bench)
    passed_ns = last_ns - first_ns
    hz = (last - first) * 1e9 / passed_ns
    return hz, hz * (early_ns + late_ns) / passed_ns


def _await_change(target: Target, bench: StreamBench) -> tuple[float, int, float]:
    """Return instant, cycle, and uncertainty of the next snapshot that somebody takes."""
    earliest_ns = target.now_ns()
    before = bench.snapshot_cycle()
    until = time.monotonic() + _CHANGE_S
    while time.monotonic() < until:
        asked_ns = target.now_ns()
        cycle = bench.snapshot_cycle()
        if cycle != before:
            # It was taken after the last look began, and before this one ended.
            latest_ns = target.now_ns()
            return (earliest_ns + latest_ns) / 2, cycle, (latest_ns - earliest_ns) / 2
        earliest_ns = asked_ns
    raise Skip(f"nobody took a snapshot within {_CHANGE_S:g} s, and taking one is a write")


def counters(context: Context) -> Iterator[Evidence]:
    """What a running fabric has counted by its last snapshot, without taking another."""
    if context.load:
        raise Skip("the runs below are judged as a whole")
    bench = context.measuring
    status = bench.status()
    faults = [fault.name for fault in Fault if status & fault]
    yield equal(
        "faults",
        "none",
        ", ".join(str(name).lower() for name in faults) or "none",
        "the run that is going on is not to be believed",
    )
    values = bench.snapshot_values()
    told = (
        f"{values['SCHEDULED']} scheduled, {values['DROPPED']} dropped, "
        f"{values['ACCEPTED']} accepted, {values['COMPLETED']} completed"
    )
    sound = values["COMPLETED"] <= values["ACCEPTED"] <= values["SCHEDULED"] - values["DROPPED"]
    yield Check(
        "events are conserved",
        "completed <= accepted <= scheduled - dropped",
        told,
        sound,
        "the monitor contradicts itself",
        "invalid",
        same=False,
    )
    for name in ("SCHEDULED", "COMPLETED", "DROPPED", "DEADLINE_MISSES", "MISMATCHES"):
        yield Number(name.lower(), values[name])
    yield Check(
        "outputs unlike the golden ones",
        "0",
        str(values["MISMATCHES"]),
        values["MISMATCHES"] == 0,
        "see the run that is going on",
        same=False,
    )
    now = "running" if status & Status.RUNNING else "idle"
    yield f"{now}; by the last snapshot {told}"


def temperature(context: Context) -> Iterator[Evidence]:
    """The die is within its grade."""
    found = temperatures(context.opened.read_text)
    if not found:
        raise Skip("no sensor: there is no iio device of the die to be read")
    grade = context.board.part[-1]
    hottest = _HOTTEST.get(grade, _HOTTEST["c"])
    for name, value in found.items():
        yield Number(f"{name.replace(' ', '_')}_celsius", round(value, 1))
        yield Check(
            f"{name}, Celsius",
            f"at most {hottest:g}",
            f"{value:.1f}",
            value <= hottest,
            "cool the board down",
            same=False,
        )
    yield ", ".join(f"{value:.1f} C" for value in found.values())
