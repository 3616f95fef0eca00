"""MLPerf Tiny's text protocol: what a line means, what the firmware answers, what a result says."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.board.tiny_firmware import MOST_INPUT, Firmware
from harness.errors import BoardError, HarnessError, InputError, StorageError
from harness.hostpaced.tiny import QUICK, RULES, Measured, TinyRun
from harness.report import store, tiny_result, tiny_terminal
from harness.report.tiny_result import TinyRecord
from harness.targets import tiny_protocol as protocol
from harness.targets.mlperf_tiny import Inference, TinyPort, parse_port

GOLDEN = [[1.5, -2.0], [0.25, 0.75]]

# ------------------------------------------------------------------ lines


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_lines_are_the_same_however_the_bytes_come(pieces: list[bytes]) -> None:
    whole, cut = protocol.Lines(), protocol.Lines()
    at_once = whole.feed(b"".join(pieces))
    assert [line for piece in pieces for line in cut.feed(piece)] == at_once
    assert (cut.bytes, cut.foreign) == (whole.bytes, whole.foreign)
    assert all(line.isascii() and "\n" not in line and "\r" not in line for line in at_once)


def test_a_line_too_long_is_dropped_and_the_next_one_is_whole() -> None:
    lines = protocol.Lines()
    for _ in range(100):
        assert lines.feed(b"x" * 1000) == []
    assert lines.overlong == 1
    assert lines.feed(b"rest\r\nm-ready\r\n") == ["m-ready"]


@given(st.text(max_size=200) | st.from_regex(r"m-[a-z-]*-?\[?[-+.,e0-9 ]*\]?", fullmatch=True))
def test_any_line_is_read_or_refused_never_worse(line: str) -> None:
    for read in (protocol.lap_us, protocol.named, protocol.refusal, protocol.is_boot):
        read(line)
    try:
        found = protocol.results(line)
    except BoardError:
        return
    if found is not None:
        assert found.agrees(found.values)
        assert found.values[found.top] == max(found.values)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.integers(0, 9))
def test_results_agree_with_what_was_printed_and_with_nothing_two_digits_away(
    values: list[float], digits: int
) -> None:
    found = protocol.results(f"m-results-[{','.join(f'{v:.{digits}f}' for v in values)}]")
    assert found is not None
    assert found.agrees(tuple(values))
    away = (values[0] + 2 * 10.0**-digits, *values[1:])
    assert not found.agrees(away)
    assert not found.agrees((*values, 0.0))


@pytest.mark.parametrize(
    ("line", "values", "tolerance"),
    [
        ("m-results-[0.125,0.875,]", (0.125, 0.875), 0.0005),
        ("m-results-[ 3, -4]", (3.0, -4.0), 0.5),
        ("m-results-[1.25e2]", (125.0,), 0.5),
        ("m-results-[5e-3]", (0.005,), 0.0005),
    ],
)
def test_digits_tell_the_tolerance(line: str, values: tuple[float, ...], tolerance: float) -> None:
    found = protocol.results(line)
    assert found is not None
    assert found.values == values
    assert found.tolerances == pytest.approx((tolerance,) * len(values))


@pytest.mark.parametrize("inside", ["", ",", "nan", "1,inf", "1;2", "0x10", "1e999", "1_0"])
def test_results_that_are_no_numbers_are_refused(inside: str) -> None:
    with pytest.raises(BoardError, match="cannot be read"):
        protocol.results(f"m-results-[{inside}]")


# ------------------------------------------------------------------ ports


@given(st.text(max_size=60))
def test_any_port_is_read_or_refused(text: str) -> None:
    for spec in (text, f"mlperf:{text}", f"mlperf://{text}", f"mlperf:///{text}"):
        try:
            port = parse_port(spec)
        except InputError:
            continue
        assert parse_port(spec) == port
        assert port.path.startswith("/")


@pytest.mark.parametrize(
    ("spec", "port"),
    [
        ("mlperf:///dev/ttyACM0", TinyPort("/dev/ttyACM0", 115_200)),
        ("mlperf:///dev/ttyACM0?baud=9600", TinyPort("/dev/ttyACM0", 9600)),
    ],
)
def test_ports_read(spec: str, port: TinyPort) -> None:
    assert parse_port(spec) == port
    assert parse_port(str(port)) == port


@pytest.mark.parametrize(
    "spec",
    [
        "mlperf://ttyACM0",
        "mlperf://dev/ttyACM0",
        "mlperf:///dev/ttyACM0?baud=fast",
        "mlperf:///dev/ttyACM0?baud=0",
        "mlperf:///dev/ttyACM0?baud=99999999",
        "mlperf:///dev/ttyACM0?speed=1",
        "mlperf:///dev/ttyACM0?baud",
        "uart:///dev/ttyACM0",
    ],
)
def test_ports_refused(spec: str) -> None:
    with pytest.raises(InputError, match="mlperf:///dev/ttyACM0"):
        parse_port(spec)


# ------------------------------------------------------------------ firmware


class Adder:
    """A model that can be worked out by hand: the sum of its four bytes, in halves."""

    in_bytes = 4

    def __init__(self) -> None:
        self.inferences = 0
        self.input = b""
        self.fails = False

    def now_us(self) -> int:
        return 100 + 7 * self.inferences

    def load(self, data: bytes) -> None:
        self.input = data

    def infer(self) -> None:
        if self.fails:
            raise BoardError("the board burns")
        self.inferences += 1

    def results(self) -> Sequence[str]:
        return [f"{sum(self.input) / 2:.1f}", "0.0"]


class Talk:
    """A firmware and what it has said since it was last asked."""

    def __init__(self) -> None:
        self.model = Adder()
        self.said = bytearray()
        self.firmware = Firmware("a name", "adder", self.model, self._hear)

    def ask(self, command: bytes) -> list[str]:
        self.said.clear()
        self.firmware.feed(command)
        *lines, rest = self.said.decode("ascii").split("\r\n")
        assert rest == ""
        return lines

    def _hear(self, data: bytes) -> None:
        self.said += data


def test_the_firmware_answers_what_the_runner_looks_for() -> None:
    """The expressions are those of mlcommons/tiny, device_under_test.py and script.py."""
    talk = Talk()
    name, ready = talk.ask(b"name%")
    assert re.match(r"^m-(name)-dut-\[([^]]+)]$", name)
    assert ready == "m-ready"
    for line in talk.ask(b"profile%")[:-1]:
        assert re.match(r"^m-(model|profile)-\[([^]]+)]$", line)
    assert talk.ask(b"db load 4%") == ["m-[Expecting 4 bytes]", "m-ready"]
    assert talk.ask(b"db 0102%") == ["m-ready"]
    assert talk.ask(b"db 03fF99%") == ["m-load-done", "m-ready"]
    assert talk.ask(b"db print%") == ["m-buffer-01-02-03-ff", "m-ready"]
    said = talk.ask(b"infer 5 2%")
    assert said == [
        "m-warmup-start-2", "m-warmup-done", "m-infer-start-5", "m-lap-us-114", "m-lap-us-149",
        "m-infer-done", "m-results-[130.5,0.0]", "m-ready",
    ]  # fmt: skip
    assert sum(bool(re.match(r"^m-lap-us-([0-9]+)$", line)) for line in said) == 2
    assert sum(bool(re.match(r"^m-results-\[([^]]+)\]$", line)) for line in said) == 1
    assert talk.ask(b"results%") == ["m-results-[130.5,0.0]", "m-ready"]
    assert talk.ask(b"timestamp%") == ["m-lap-us-149", "m-ready"]
    assert talk.ask(b"infer 1%")[0] == "m-warmup-start-10"


@pytest.mark.parametrize(
    ("commands", "says"),
    [
        (b"%", "Unknown command: "),
        (b"nam%", "Unknown command: nam"),
        (b"name" + 80 * b" " + b"%", "longer than 80"),
        (b"db%", "requires a subcommand"),
        (b"db load%", "requires the # of bytes"),
        (b"db load 0%", "must be >0"),
        (b"db load -3%", "must be >0"),
        (b"db load x%", "must be >0"),
        (f"db load {MOST_INPUT + 1}%".encode(), "exceeds maximum"),
        (b"db 00%", "No more bytes"),
        (b"db load 1%db 0%", "Insufficient"),
        (b"db load 1%db 0g%", "Invalid hex"),
        (b"db load 1%db 00%db 00%", "No more bytes"),
        (b"infer 1%", "Input has 0 bytes, expected 4"),
        (b"db load 5%db 0000000000%infer 1%", "Input has 5 bytes, expected 4"),
        (b"infer 0%", "iterations must be >0"),
        (b"infer -1%", "iterations must be >0"),
        (b"infer 99999999999%", "iterations must be >0"),
        (b"infer 1 -1%", "warmup must be >=0"),
        (b"results%", "No inference has run"),
    ],
)
def test_the_firmware_refuses_in_words_and_stays_ready(commands: bytes, says: str) -> None:
    talk = Talk()
    *_, refused, ready = talk.ask(commands)
    assert re.fullmatch(r"e-\[.*\]", refused)
    assert says in refused
    assert ready == "m-ready"
    assert talk.ask(b"name%") == ["m-name-dut-[a name]", "m-ready"]


def test_a_board_that_fails_is_a_refusal() -> None:
    talk = Talk()
    talk.ask(b"db load 4%db 00000000%")
    talk.model.fails = True
    assert talk.ask(b"infer 1 0%")[-2:] == ["e-[The board failed: the board burns]", "m-ready"]


@given(
    st.lists(
        st.binary(max_size=120)
        | st.sampled_from(
            [b"%", b"db ", b"load ", b"infer ", b"results", b"name", b"7", b"-", b" "]
        ),
        max_size=40,
    )
)
def test_the_firmware_survives_any_bytes(pieces: list[bytes]) -> None:
    talk = Talk()
    # Long runs that chance asks for would only take time.
    talk.firmware = Firmware(
        "a", "b", talk.model, talk._hear, lambda: talk.model.inferences > 10_000
    )
    for piece in pieces:
        talk.ask(piece)
    if talk.model.inferences <= 10_000:
        talk.ask(b"%")
        assert talk.ask(b"timestamp%")[-1] == "m-ready"


def test_a_command_ends_when_the_end_is_asked_for() -> None:
    talk = Talk()
    talk.firmware = Firmware("a", "b", talk.model, talk._hear, lambda: talk.model.inferences >= 3)
    assert "m-ready" not in talk.ask(b"db load 4%db 00000000%infer 1000000000 0%")[4:]
    assert talk.model.inferences == 3


# ------------------------------------------------------------------ results


def took(start_us: int, us: int, host_ns: int, values: Sequence[float], n: int = 10) -> Inference:
    tolerances = (0.0005,) * len(values)
    results = protocol.Results(tuple(values), tolerances)
    return Inference(n, 10, start_us, start_us + us, host_ns, 2 * host_ns, results)


def record(*runs: Inference, broken: str | None = None) -> TinyRecord:
    made = [TinyRun(i % 2, run) for i, run in enumerate(runs)]
    return TinyRecord(
        name="made_up",
        mode="performance",
        overlay="adder",
        target="mlperf:///dev/null",
        plan=RULES,
        measured=Measured(made, [0, 4_000], broken),
        golden=GOLDEN,
        truth=[0, 0],
        labels=["a", "b"],
        simulated=False,
        device={"name": "n", "profile": "p", "model": "adder"},
        wire={"port": "/dev/null", "baud": 9600, "stray_lines": 0, "first_stray": ""},
        seeds={"traffic": 1},
        facts={},
    )


def right(us: int = 10_000_000, host_ns: int = 10_010_000_000) -> TinyRecord:
    """Five runs of ten inferences, the third half as fast."""
    factors = (1, 1, 2, 1, 1)
    return record(
        *(took(i * 1000, us * f, host_ns * f, GOLDEN[i % 2]) for i, f in enumerate(factors))
    )


def test_the_median_counts_and_clocks_are_kept_apart() -> None:
    result = tiny_result.build(right())
    assert (result["verdict"], result["reasons"]) == ("pass", [])
    device, host = result["device"], result["host"]
    assert (device["time_base"], host["time_base"]) == ("device", "host")
    assert device["inferences_per_s"] == {"median": 1.0, "min": 0.5, "max": 1.0}
    assert device["inference_us"] == {"median": 1e6, "min": 1e6, "max": 2e6}
    assert host["inference_us"] == {"median": 1.001e6, "min": 1.001e6, "max": 2.002e6}
    assert device["resolution_us"] == 1000
    assert result["rules"] is not None
    assert result["rules"]["official"]


def reasons_of(made: TinyRecord) -> dict[str, str]:
    return {reason["what"]: reason["effect"] for reason in tiny_result.build(made)["reasons"]}


def test_what_makes_a_result_doubtful() -> None:
    made = right()
    assert reasons_of(right(us=9_999_999)) == {"a run was too short": "invalid"}
    assert reasons_of(right(host_ns=11_000_000_000)) == {
        "the clocks of device and host contradict each other": "invalid"
    }
    simulated = dataclasses.replace(right(host_ns=11_000_000_000), simulated=True)
    assert reasons_of(simulated) == {"simulated": "note"}
    quick = dataclasses.replace(made, plan=QUICK)
    assert reasons_of(quick) == {"shorter than MLPerf Tiny asks for": "note"}
    other = dataclasses.replace(made, device={**made.device, "model": "kws01"})
    assert reasons_of(other) == {"the device names another model": "note"}
    broken = dataclasses.replace(
        made, measured=Measured(made.measured.runs, [], "it went up in smoke")
    )
    assert reasons_of(broken) == {"the run was broken off": "invalid"}
    wrong = dataclasses.replace(made, golden=[GOLDEN[0], [0.25, 0.7578125]])
    assert reasons_of(wrong) == {"outputs are not those of the golden model": "fail"}
    assert tiny_result.build(wrong)["outputs"] == {
        "compared": 5, "mismatches": 2, "first_mismatch": 1,
    }  # fmt: skip


def test_accuracy_is_that_of_the_answers() -> None:
    runs = [TinyRun(0, took(0, 1, 1, GOLDEN[0], 1)), TinyRun(1, took(0, 1, 1, [0.8, 0.1], 1))]
    made = dataclasses.replace(
        right(), mode="accuracy", plan=None, measured=Measured(runs, [], None), truth=[0, 0]
    )
    result = tiny_result.build(made)
    assert result["accuracy"] == {
        "inputs": 2, "correct": 2, "top1": 1.0, "golden_top1": 0.5, "labels": ["a", "b"],
        "confusion": [[2, 0], [0, 0]],
    }  # fmt: skip
    assert result["verdict"] == "fail"  # right by luck, but not what the model says
    assert result["runs"] == []
    assert result["device"]["inference_us"] is None


def test_a_result_is_stored_whole_and_checked(tmp_path: Path) -> None:
    result = tiny_result.build(right())
    folder = tiny_result.write(store.prepare(tmp_path), result)
    assert tiny_result.load(folder) == result
    assert json.loads((folder / "tiny.json").read_text()) == result
    newer = tiny_result.write(store.prepare(tmp_path), {**result, "schema": 2})
    with pytest.raises(StorageError, match="newer harness"):
        tiny_result.load(newer)
    (folder / "tiny.json").write_text("{}")
    with pytest.raises(HarnessError):
        tiny_result.load(folder)


def test_what_is_shown_names_each_clock() -> None:
    out = io.StringIO()
    made = dataclasses.replace(right(), device={"name": "\x1b[2J", "profile": "p", "model": "m"})
    tiny_terminal.show(tiny_result.build(made), Path("here"), Console(file=out, width=160))
    shown = out.getvalue()
    assert "\x1b[2J" not in shown
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert lines[0].startswith("PASS made_up, MLPerf Tiny performance mode")
    at = lines.index("by the device's clock, its own median min max")
    assert lines[at + 1] == "inferences per second 1.0 0.5 1.0"
    at = lines.index("by this host's clock, serial port included median min max")
    assert lines[at + 2] == "us an inference 1,001,000.000 1,001,000.000 2,002,000.000"
