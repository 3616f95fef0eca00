"""The certificate: everything a validation found, as JSON, and what differs between two of them."""

from __future__ import annotations

import os
import secrets
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from harness.architecture.residency import trigger_class
from harness.errors import StorageError
from harness.report.result import weights_of
from harness.report.sealed import as_json, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.architecture.residency import Residency
    from harness.firmware.check import Check
    from harness.validate.context import Context
    from harness.validate.step import Outcome, Result

__all__ = ["Change", "check_place", "differences", "document", "read", "write"]

SCHEMA: Final = 1
KIND: Final = "fpga-harness certificate"
_MOST_BYTES: Final = 16 << 20
_ABSENT: Final = "not there"


@dataclass(frozen=True, slots=True)
class Change:
    """One item that is not as it was.

    Args:
        item: Where it stands.
        before: What the older certificate says.
        after: What the newer one says.
        matters: Whether firmware or board differ, rather than tools around them.
    """

    item: str
    before: str
    after: str
    matters: bool


def document(
    context: Context,
    results: Sequence[Result],
    outcome: Outcome,
    seed: int,
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the content of a certificate; `weights` is null if that step was not taken."""
    overlay, image, timing = context.overlay, context.image, context.timing
    target = context.target
    return {
        "schema": SCHEMA,
        "kind": KIND,
        "outcome": outcome,
        "overlay": {"name": overlay.name, "version": overlay.version, "digest": overlay.digest},
        "board": {"name": context.board.name, "part": context.board.part},
        "target": target.name if target is not None else context.where,
        "time_base": target.time_base if target is not None else None,
        "level": context.level,
        "loaded": context.load,
        "seed": seed,
        "image": None
        if image is None
        else {
            "bit_sha256": image.bit_sha256,
            "hwh_sha256": image.hwh_sha256,
            "digest": image.digest,
            "provenance": image.provenance,
        },
        "identity": None if context.identity is None else asdict(context.identity),
        "contract": None if timing is None else asdict(timing),
        "weights": None if context.residency is None else _weights(context.residency),
        "steps": [_step(result) for result in results],
        "facts": dict(facts),
    }


def _weights(found: Residency) -> dict[str, Any]:
    fit, why = trigger_class(found)
    return {**weights_of(found), "trigger_class": fit, "trigger_class_reason": why}


def _step(result: Result) -> dict[str, Any]:
    return {
        "name": result.step.name,
        "title": result.step.title,
        "outcome": result.outcome,
        "reason": result.reason,
        "summary": result.summary,
        "began_ns": result.began_ns,
        "took_ns": result.took_ns,
        "checks": [_check(check) for check in result.checks],
        "numbers": {item.name: {"value": item.value, "same": item.same} for item in result.numbers},
    }


def _check(check: Check) -> dict[str, Any]:
    told = {key: value for key, value in asdict(check).items() if key != "hint"}
    return told if check.holds else {**told, "hint": check.hint}


def check_place(path: Path | None) -> None:
    """Make sure, before a validation, that a file can be written; None is no file.

    Raises:
        StorageError: Its folder is not there, or may not be written to.
    """
    if path is not None and not os.access(path.parent, os.W_OK | os.X_OK):
        why = "may not be written to" if path.parent.is_dir() else "is no folder"
        raise StorageError("cannot be written", where=str(path), why=f"{path.parent} {why}")


def write(content: Mapping[str, Any], path: Path) -> None:
    """Write a certificate, whole or not at all.

    Raises:
        StorageError: It cannot be written.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        with beside.open("xb") as file:
            file.write(as_json(content))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        why = error.strerror or str(error)
        raise StorageError("the certificate cannot be written", where=str(path), why=why) from error
    finally:
        beside.unlink(missing_ok=True)


def read(path: Path) -> dict[str, Any]:
    """Read a certificate back.

    Raises:
        StorageError: It cannot be read, is none, or was written by a newer harness.
    """
    where = str(path)
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise StorageError(
            "cannot be read", where=where, why=error.strerror or str(error)
        ) from error
    if len(content) > _MOST_BYTES:
        raise StorageError("is too large for a certificate", where=where)
    found = parse_json(content, path)
    if not isinstance(found, dict) or found.get("kind") != KIND:
        raise StorageError("is no certificate", where=where, hint="harness validate ... -o FILE")
    schema = found.get("schema")
    if not isinstance(schema, int) or schema > SCHEMA:
        raise StorageError(
            f"is a certificate of schema {schema}",
            where=where,
            why=f"this harness reads {SCHEMA}",
            hint="update the harness",
        )
    return found


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Return every item that two certificates have to agree on and do not.

    Raises:
        StorageError: One of them is not shaped as a certificate.
    """
    try:
        old, new = dict(_items(before)), dict(_items(after))
    except (KeyError, TypeError, AttributeError) as error:
        raise StorageError(
            "is no whole certificate", why=f"{type(error).__name__}: {error}"
        ) from error
    changes = []
    for item in [*old, *(item for item in new if item not in old)]:
        was, now = old.get(item, _ABSENT), new.get(item, _ABSENT)
        if was != now and not (_ABSENT in {was, now} and _not_comparable(item, before, after)):
            changes.append(Change(item, was, now, not item.startswith(("tool ", "host"))))
    return changes


def _not_comparable(item: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether an item is missing on one side only because its step was not taken there."""
    name = item.partition(":")[0]
    outcomes = [
        next((step["outcome"] for step in found["steps"] if step["name"] == name), "pass")
        for found in (before, after)
    ]
    return any(outcome != "pass" for outcome in outcomes) or before["level"] != after["level"]


def _items(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for group in ("overlay", "board", "image", "contract"):
        for key, value in (found[group] or {}).items():
            yield f"{group} {key}", str(value)
    yield "time base", str(found["time_base"])
    for step in found["steps"]:
        name = step["name"]
        yield f"{name}: outcome", str(step["outcome"])
        for check in step["checks"]:
            if check["same"]:
                yield f"{name}: {check['what']}", str(check["found"])
        for key, number in step["numbers"].items():
            if number["same"]:
                yield f"{name}: {key}", str(number["value"])
    for key, value in found["facts"]["versions"].items():
        yield f"tool {key}", str(value)
    target = found["facts"].get("target") or {}
    for key in ("kernel", "bridge", "pynq", "verilator"):
        if key in target:
            yield f"tool {key} of the target", str(target[key])
    yield "host", str(found["facts"]["host"].get("platform"))
