"""A device that speaks MLPerf Tiny's firmware protocol, at the other end of a serial port.

No command waits for longer than its deadline, and what goes wrong is named: no such port, taken by
another, silent, another baud rate, another firmware, a refusal, a reset, an unplugged cable.
What is about the port alone lies in `tiny_port`, what is about text alone in `tiny_protocol`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.errors import BoardError, DeadlineError
from harness.targets import tiny_protocol as protocol
from harness.targets.tiny_port import MOST_HEARD, TinyPort, TinyWire, parse_port

__all__ = ["Inference", "TinyDevice", "TinyPort", "parse_port"]

if TYPE_CHECKING:
    from types import TracebackType

    from harness.targets.tiny_protocol import Results

BOOT_NS: Final = 10_000_000_000
"""How long a device may take from the opening of its port to its first answer."""
ANSWER_NS: Final = 5_000_000_000
"""How long a command other than `infer` may take."""
_HELLO_NS: Final = 2_000_000_000
_MOST_NOISE_NS: Final = 1_000_000_000
_MOST_ANSWER_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Inference:
    """What one `infer` gave. Times of the device and of the host are never of one clock.

    Args:
        iterations: Inferences between the two stamps.
        warmups: Inferences before the first.
        start_us: The device's own stamp before, us of its clock.
        end_us: And after, later than `start_us` also where a 32-bit clock began again.
        host_ns: Between the arrivals of the two stamps at this host, ns.
        command_ns: From the command to `m-ready`, warm-ups and transmission included, ns.
        results: Of the last inference.
    """

    iterations: int
    warmups: int
    start_us: int
    end_us: int
    host_ns: int
    command_ns: int
    results: Results

    @property
    def device_us(self) -> int:
        """What the device says the iterations took, in us."""
        return self.end_us - self.start_us


class TinyDevice:
    """A device whose identity has been read. Use as a context manager.

    Args:
        port: Where it is.
        boot_ns: How long it may take to answer for the first time.
        answer_ns: How long any command but `infer` may take.

    Raises:
        BoardError: The port cannot be opened, or something else answers.
        DeadlineError: Nothing that makes sense answers in time.
    """

    def __init__(
        self, port: TinyPort, *, boot_ns: int = BOOT_NS, answer_ns: int = ANSWER_NS
    ) -> None:
        self.port = port
        self.stray = 0
        """Lines that belonged to no answer, or were chatter in one."""
        self.foreign = ""
        """The first of them."""
        self.name = self.profile = self.model = ""
        self._answer_ns = answer_ns
        self._failure: Exception | None = None
        self._wire = TinyWire(port)
        try:
            self._greet(boot_ns)
            self._identify()
        except BaseException:
            self.close()
            raise

    @property
    def simulated(self) -> bool:
        """Whether the device's name says that its time is that of a simulation."""
        return "simulated" in self.name

    def timestamp(self) -> int:
        """Return the device's time in us.

        Raises:
            InfrastructureError: It does not say.
        """
        for _, line in self._ask("timestamp", self._answer_ns):
            lap = protocol.lap_us(line)
            if lap is not None:
                return lap
        raise self._odd("timestamp", "no m-lap-us came", "energy-mode firmware has none")

    def load(self, data: bytes) -> None:
        """Load the input of the next inferences.

        Raises:
            InfrastructureError: The device does not take it.
        """
        answer = [line for _, line in self._ask(f"db load {len(data)}", self._answer_ns)]
        if f"m-[Expecting {len(data)} bytes]" not in answer:
            said = next((line for line in answer if line != protocol.READY), "nothing")
            raise self._odd(
                f"db load {len(data)}", f"it said {said[:80]!r}", "is its buffer smaller?"
            )
        for start in range(0, len(data), protocol.LOAD_BYTES):
            part = data[start : start + protocol.LOAD_BYTES]
            answer = [line for _, line in self._ask(f"db {part.hex()}", self._answer_ns)]
        if "m-load-done" not in answer:
            raise self._odd("db", f"no m-load-done after {len(data)} bytes", "were bytes lost?")

    def infer(self, iterations: int, warmups: int, timeout_ns: int) -> Inference:
        """Run inferences on the loaded input.

        Raises:
            InfrastructureError: It failed, or took longer than `timeout_ns`.
        """
        command = f"infer {iterations} {warmups}"
        sent_ns = time.monotonic_ns()
        answer = self._ask(command, timeout_ns)
        laps = [(at, lap) for at, line in answer if (lap := protocol.lap_us(line)) is not None]
        found = [got for _, line in answer if (got := protocol.results(line)) is not None]
        if len(laps) < 2:
            raise self._odd(
                command,
                f"{len(laps)} m-lap-us came, two are needed",
                "energy-mode firmware has none",
            )
        if not found:
            raise self._odd(command, "no m-results came", "was the input of the right size?")
        (first_ns, start), (last_ns, end) = laps[0], laps[-1]
        if end < start < protocol.WRAP_US:
            end += protocol.WRAP_US
        if end < start:
            raise self._odd(command, f"its time went from {start} us back to {end} us", "repair it")
        return Inference(
            iterations, warmups, start, end, last_ns - first_ns, answer[-1][0] - sent_ns, found[-1]
        )

    def results(self) -> Results:
        """Return the results of the last inference.

        Raises:
            InfrastructureError: There are none.
        """
        for _, line in self._ask("results", self._answer_ns):
            found = protocol.results(line)
            if found is not None:
                return found
        raise self._odd("results", "no m-results came", "run an inference first")

    def close(self) -> None:
        """Give the port back; twice is harmless."""
        self._wire.close()

    def __enter__(self) -> TinyDevice:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # ------------------------------------------------------------------ the beginning

    def _greet(self, boot_ns: int) -> None:
        """Find a device behind whatever it says while it starts."""
        deadline_ns = time.monotonic_ns() + boot_ns
        heard: list[str] = []
        while True:
            heard += self._wire.drain(min(_MOST_NOISE_NS, (deadline_ns - time.monotonic_ns()) // 2))
            hello_ns = min(_HELLO_NS, deadline_ns - time.monotonic_ns())
            if hello_ns <= 0:
                break
            self._wire.send("name")
            until_ns = time.monotonic_ns() + hello_ns
            known = False
            while time.monotonic_ns() < until_ns:
                for _, line in self._wire.receive(until_ns):
                    found = protocol.named(line)
                    known = known or (found is not None and found[0] == "name-dut")
                    if known and line == protocol.READY:
                        # An answer to an earlier, slow-starting call may still be on its way.
                        self._wire.drain(_MOST_NOISE_NS)
                        self._wire.lines.overlong = 0
                        return
                    heard.append(line)
            del heard[MOST_HEARD:]
        raise self._unknown(heard, boot_ns)

    def _identify(self) -> None:
        for command in ("name", "profile"):
            for _, line in self._ask(command, self._answer_ns):
                found = protocol.named(line)
                if found is not None:
                    setattr(self, found[0].removesuffix("-dut"), found[1])

    def _unknown(self, heard: list[str], boot_ns: int) -> DeadlineError:
        seen = self._wire.lines
        if not seen.bytes:
            why = "not a byte came"
            hint = "is it powered and programmed, and is this its port?"
        elif seen.foreign * 10 > seen.bytes:
            why = f"{seen.foreign} of the {seen.bytes} bytes that came are no text"
            hint = f"probably another baud rate than {self.port.baud}; add ?baud=..."
        elif not any(line.startswith(("m-", "e-")) for line in heard):
            first = next((line for line in heard if line), "")
            why = f"{seen.bytes} bytes of text, no line of the protocol; first {first[:80]!r}"
            hint = "another firmware, or another port of the same board"
        else:
            why = f"its last line was {heard[-1][:80]!r}"
            hint = "the firmware has stopped, or does not know its name"
        return DeadlineError(
            f"no MLPerf Tiny device answered `name%` within {boot_ns / 1e9:g} s",
            where=self._wire.where,
            why=why,
            hint=hint,
        )

    # ------------------------------------------------------------------ commands

    def _ask(self, command: str, timeout_ns: int) -> list[tuple[int, str]]:
        """Send a command and return its answer: arrival in ns and text of each line."""
        if self._failure is not None:
            raise self._failure
        try:
            return self._answer(command, timeout_ns)
        except (BoardError, DeadlineError) as failure:
            self._failure = failure  # what it would say next belongs to nothing
            raise

    def _answer(self, command: str, timeout_ns: int) -> list[tuple[int, str]]:
        self._strays(command, self._wire.receive(0))
        deadline_ns = time.monotonic_ns() + timeout_ns
        self._wire.send(command)
        before = self._wire.lines.bytes
        answer: list[tuple[int, str]] = []
        while True:
            for at, line in self._wire.receive(deadline_ns):
                if protocol.is_boot(line):
                    raise self._reset(command, line)
                if not line.startswith(("m-", "e-")):
                    self._strays(command, [(at, line)])
                    continue
                answer.append((at, line))
                if line == protocol.READY:
                    return self._accepted(command, answer)
            self._check_flood(command, before)
            if time.monotonic_ns() >= deadline_ns:
                raise self._late(command, timeout_ns, answer)

    def _accepted(self, command: str, answer: list[tuple[int, str]]) -> list[tuple[int, str]]:
        for _, line in answer:
            said = protocol.refusal(line)
            if said is not None:
                raise BoardError(
                    f"the device refused `{command[:40]}`", where=self._wire.where, why=said[:200]
                )
        return answer

    def _check_flood(self, command: str, before: int) -> None:
        came = self._wire.lines.bytes - before
        if self._wire.lines.overlong or came > _MOST_ANSWER_BYTES:
            what = (
                f"a line of more than {protocol.MOST_LINE} bytes"
                if self._wire.lines.overlong
                else f"{came} bytes without {protocol.READY}"
            )
            raise BoardError(
                f"the device answered `{command[:40]}` with {what}",
                where=self._wire.where,
                why=f"{self._wire.lines.foreign} of all bytes are no text",
                hint="another baud rate, or a broken device",
            )

    def _strays(self, command: str, lines: list[tuple[int, str]]) -> None:
        for _, line in lines:
            if protocol.is_boot(line):
                raise self._reset(command, line)
            if line:
                self.stray += 1
                self.foreign = self.foreign or line[:80]

    def _reset(self, command: str, line: str) -> BoardError:
        return BoardError(
            f"the device started anew, seen at `{command[:40]}`",
            where=self._wire.where,
            why=f"it said {line[:80]!r}; what was loaded is lost",
            hint="look at its power and its watchdog",
        )

    def _late(self, command: str, timeout_ns: int, answer: list[tuple[int, str]]) -> DeadlineError:
        last = repr(answer[-1][1][:80]) if answer else "none"
        return DeadlineError(
            f"`{command[:40]}` was not done within {timeout_ns / 1e9:g} s",
            where=self._wire.where,
            why=f"no {protocol.READY} came; last line: {last}",
            hint="the device hangs, or bytes were lost on the way",
        )

    def _odd(self, command: str, why: str, hint: str) -> BoardError:
        return BoardError(
            f"`{command}` was not answered as it should", where=self._wire.where, why=why, hint=hint
        )
