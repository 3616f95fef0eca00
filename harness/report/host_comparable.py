"""From a stored run of the host's to what of it takes part in a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import InputError
from harness.measure.host_replicates import STATISTICS, HostSummary
from harness.measure.summary import HostIdentity
from harness.report import host_store, tiny_result
from harness.report.host_schema import check
from harness.report.sealed import parse_json, unseal

if TYPE_CHECKING:
    from pathlib import Path

    from harness.report.host_schema import HostResult


def is_paced(path: Path) -> bool:
    """Return whether a finished folder is that of a run that the host paced.

    Raises:
        StorageError: It is no finished folder.
        InputError: It is one of MLPerf Tiny, a closed loop that is not compared.
    """
    listed = unseal(path).digests
    if tiny_result.RESULT in listed:
        raise InputError(
            "runs of MLPerf Tiny are not compared",
            where=str(path),
            hint="see them with: harness show",
        )
    return host_store.RESULT in listed


def load_host_run(path: Path) -> HostSummary:
    """Read what is compared of a run; its stamps are not needed.

    Raises:
        StorageError: It is damaged.
    """
    where = path / host_store.RESULT
    result = check(parse_json(unseal(path).read(host_store.RESULT), where), str(where))
    measured: Any = result["measured"]
    values = {}
    for name in STATISTICS:
        kind, _, statistic = name.partition(".")
        values[name] = measured[f"{kind}_ns"][statistic]
    facts = result["link_facts"]
    return HostSummary(
        run=path.name,
        verdict=result["verdict"],
        identity=_identity(result),
        values=values,
        wrong=facts["mismatches"] if facts.get("compared") else None,
    )


def _identity(result: HostResult) -> HostIdentity:
    drawn, host = result["schedule"], result["facts"].get("host")
    benchmark, overlay = result.get("benchmark"), result.get("overlay")
    return HostIdentity(
        benchmark=result["name"]
        if benchmark is None
        else f"{benchmark['name']} {benchmark['digest'][:12]}",
        overlay="" if overlay is None else f"{overlay['name']} {overlay['digest'][:12]}",
        board=result["target"],
        link=result["link"],
        schedule=f"{drawn['process']}, {drawn['rate_hz']:.9g} Hz, {drawn['events']} events",
        sender=str(result["conditions"].get("scheduling")),
        machine=str(host.get("cpu")) if isinstance(host, dict) else "",
    )
