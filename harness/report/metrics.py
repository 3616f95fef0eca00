"""The run in progress as Prometheus text, on loopback only.

    harness run latency/jet_tagger_lhc --metrics 9400
    curl http://127.0.0.1:9400/metrics

Counters and histogram are those of the last look at the run (`harness.fabric.watch`): a scrape
reads nothing from the board. The server ends with the run.
"""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import numpy as np

from harness.errors import InfrastructureError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from harness.fabric.samples import LatencyHistogram
    from harness.fabric.watch import About, Look

HOST: Final = "127.0.0.1"
_STALLED_S: Final = 5.0
_POLL_S: Final = 0.05
_COUNTERS: Final = (
    ("scheduled", "Events that came due."),
    ("completed", "Events whose last output beat left."),
    ("dropped", "Events that found the derandomiser full."),
    ("deadline_misses", "Completed events later than the deadline."),
)
_GAUGES: Final = (
    ("waiting", "Events that wait in the derandomiser."),
    ("max_depth", "Most events that waited in one cycle."),
)


class _Handler(WSGIRequestHandler):
    timeout = _STALLED_S  # a client that sends nothing does not hold the server for ever

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal belongs to the run."""


class _Server(WSGIServer):
    def server_bind(self) -> None:
        """Bind without asking a name server who 127.0.0.1 is."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = HOST, self.server_address[1]
        self.setup_environ()


class MetricsServer:
    """Serves what a watcher sees. Use as a context manager.

    Args:
        port: TCP port on loopback; 0 for any free one.

    Raises:
        InputError: prometheus-client is not installed, or the port is no port.
        InfrastructureError: The port cannot be had.
    """

    def __init__(self, port: int) -> None:
        try:
            import prometheus_client  # noqa: PLC0415
        except ImportError as error:
            raise InputError(
                "prometheus-client is not installed",
                where="--metrics",
                hint="pip install 'fpga-harness[metrics]'",
            ) from error
        if not 0 <= port <= 65535:
            raise InputError("is no port", where="--metrics", why=f"got {port}", hint="0 to 65535")
        registry = prometheus_client.CollectorRegistry()
        self._seen: tuple[About, Look] | None = None
        self._about: About | None = None
        registry.register(self)
        try:
            self._server = _Server((HOST, port), _Handler)
        except OSError as error:
            raise InfrastructureError(
                f"cannot serve metrics on port {port}",
                where="--metrics",
                why=error.strerror or str(error),
                hint="choose another port",
            ) from error
        self._server.set_app(prometheus_client.make_wsgi_app(registry))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name="harness metrics", daemon=True
        )

    @property
    def port(self) -> int:
        """The port that is served."""
        return int(self._server.server_port)

    def begin(self, about: About) -> None:
        """Remember what will be seen."""
        self._about = about

    def look(self, look: Look) -> None:
        """Serve this from now on."""
        if self._about is not None:
            self._seen = self._about, look  # one assignment: a scrape sees the old or the new pair

    def describe(self) -> list[Any]:
        """Return nothing: metrics exist only while there is something to see."""
        return []

    def collect(self) -> Iterator[Any]:
        """Yield the metrics of the last look; called by prometheus-client for each scrape."""
        from prometheus_client import core  # noqa: PLC0415

        seen = self._seen
        if seen is None:
            return
        about, look = seen
        names = ("benchmark", "target", "time_base")
        values = (about.benchmark, about.target, about.time_base)
        for name, text in _COUNTERS:
            counter = core.CounterMetricFamily(f"harness_events_{name}", text, labels=names)
            counter.add_metric(values, getattr(look, name))
            yield counter
        for name, text in _GAUGES:
            gauge = core.GaugeMetricFamily(f"harness_queue_{name}", text, labels=names)
            gauge.add_metric(values, getattr(look, name))
            yield gauge
        cycles = core.GaugeMetricFamily("harness_run_cycles", "Fabric cycles so far.", labels=names)
        cycles.add_metric(values, look.run_cycles)
        yield cycles
        if look.total is not None:
            latency = core.HistogramMetricFamily(
                "harness_total_latency_seconds",
                "From the scheduled cycle to the last output beat, by the measured clock.",
                labels=names,
            )
            latency.add_metric(
                values, buckets(look.total, about.clock_hz), look.total.total / about.clock_hz
            )
            yield latency

    def __enter__(self) -> MetricsServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def buckets(histogram: LatencyHistogram, clock_hz: float) -> list[tuple[str, float]]:
    """Return Prometheus buckets: upper edge in seconds, and events at or below it.

    Edges are 1, 2, 4, ... cycles up to the number of bins, which hold exactly the latencies up to
    themselves; what lies beyond is in +Inf.
    """
    below = np.cumsum(histogram.counts)
    found: list[tuple[str, float]] = []
    edge = 1
    while edge < histogram.counts.size:
        found.append((repr(edge / clock_hz), float(below[edge])))
        edge *= 2
    return [*found, ("+Inf", float(histogram.count))]
