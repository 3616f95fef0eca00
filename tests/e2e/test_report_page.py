"""The report in a real browser: no script error, no request, nothing overlaps or is cut off."""

from __future__ import annotations

import dataclasses
import html as entities
import json
import re
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness.measure.queueing import finite_queue
from harness.measure.verdict import interrupted
from harness.report import html
from harness.report import result as results
from harness.report.store import Stored
from harness.traffic import Schedule
from tests.unit.conftest import Synthetic
from tests.unit.test_memory_report import MEMORIES
from tests.unit.test_memory_report import stored as from_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium (apt-get install chromium)"),
    # Browsers side by side would starve each other.
    pytest.mark.xdist_group("chromium"),
]
SECONDS = 120
CLOCK_HZ = 200_000_000
HOSTILE = "\"'><script>document.title = 'pwned'</script><img src=x onerror=alert(2)>"
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
SCRIPT = re.compile(r"<script>.*?</script>", re.DOTALL)


def chromium(page: Path, *flags: str) -> str:
    """Open a page and return what the browser prints."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [
                CHROMIUM,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--hide-scrollbars",
                f"--user-data-dir={profile}",
                *flags,
                page.as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
    return done.stdout


def dom(page: Path, *flags: str) -> str:
    return chromium(page, "--virtual-time-budget=4000", "--dump-dom", *flags)


def root_of(text: str) -> str:
    found = re.search(r"<html[^>]*>", text)
    assert found is not None
    return found[0]


def stored(
    due: NDArray[np.int64],
    *overrides: str,
    ii: int,
    latency: int = 26,
    limit: int = 64,
    bins: int = 4096,
    **changes: Any,
) -> Stored:
    synthetic = Synthetic()
    samples = synthetic.samples(due, ii, latency, limit, bins)
    departures = finite_queue(due, ii, latency, limit)
    kept = np.flatnonzero(~departures.dropped)[:4096]
    trace = type(samples.trace)(kept, due[kept], departures.accepted[kept], departures.done[kept])
    evidence = synthetic.evidence(
        f"run.events={due.size}",
        *overrides,
        samples=dataclasses.replace(samples, trace=trace),
        schedule_cycles=int(due[-1]) + 1,
        queue_limit=limit,
    )
    result: Any = results.build(synthetic.record(evidence))
    result.update(changes)
    return Stored(Path("results/run"), result, samples.histograms(), trace)


def at_random(rate_hz: float, **changes: Any) -> Stored:
    due = Schedule.bernoulli(rate_hz, CLOCK_HZ, 7, 5000).cycles(0, 5000)
    return stored(due, ii=10, limit=48, seeds={"arrival": 7}, **changes)


def in_trains(ii: int, limit: int, **changes: Any) -> Stored:
    due = Schedule.lhc(40.079e6, CLOCK_HZ, "25ns_2744b_bcms", 5000).cycles(0, 5000)
    return stored(due, ii=ii, limit=limit, **changes)


def unread() -> Stored:
    synthetic = Synthetic()
    evidence = synthetic.evidence(samples=None, deadline_cycles=None)
    result: Any = results.build(synthetic.record(evidence, verdict=interrupted("SIGINT")))
    result["target"] = HOSTILE
    return Stored(Path("results/unread"), result, {}, None)


def everything() -> list[Stored]:
    """Return runs that between them show every kind of figure and every hard case."""
    crowd = stored(np.zeros(400, dtype=np.int64), ii=3, latency=400, limit=400, bins=512)
    slow = stored(Schedule.periodic(1e6, CLOCK_HZ, 300).cycles(0, 300), ii=4)
    return [
        *(at_random(rate) for rate in (4e6, 13e6, 18e6, 19.6e6, 24e6)),
        in_trains(6, 64),
        in_trains(6, 8, overlay={"name": "jet_tagger", "digest": "x"}),
        in_trains(4, 64, time_base="fabric", target=HOSTILE),
        crowd,
        slow,
        unread(),
        *(from_memory(name, rows, 1e6) for name in MEMORIES for rows in (0, 68)),
    ]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(html.render(everything()), encoding="utf-8")
    return path


def driven(page: Path, folder: Path, script: str, *flags: str) -> Any:
    """Run a script in a copy of the page, when its own has run, and return what it returns.

    The copy has no policy, which would rightly refuse it.
    """
    text = POLICY.sub("", page.read_text(encoding="utf-8"))
    driver = (
        "<script>addEventListener('load', () => {"
        "const out = document.createElement('pre'); out.id = 'driver';"
        f"try {{ out.textContent = JSON.stringify((() => {{ {script} }})()); }}"
        "catch (error) { out.textContent = JSON.stringify(String(error.stack)); }"
        "document.body.append(out); });</script></body>"
    )
    copy = folder / "driven.html"
    copy.write_text(text.replace("</body>", driver), encoding="utf-8")
    found = re.search(r'<pre id="driver">(.*?)</pre>', dom(copy, *flags), re.DOTALL)
    assert found is not None
    return json.loads(entities.unescape(found[1]))


def test_the_script_runs_without_an_error(page: Path) -> None:
    text = dom(page)
    assert 'data-ready="yes"' in root_of(text)
    assert "data-error" not in root_of(text)
    assert "<title>15 runs of made_up</title>" in text


def test_the_policy_stops_what_does_not_belong(page: Path, tmp_path: Path) -> None:
    """Also the positive control of the test before: errors do show."""
    copy = tmp_path / "injected.html"
    text = page.read_text(encoding="utf-8")
    copy.write_text(
        text.replace("</body>", "<script>document.title = 'pwned'</script></body>"),
        encoding="utf-8",
    )
    found = dom(copy)
    assert 'data-error="script-src' in root_of(found)
    assert "<title>pwned" not in found


class Proxy:
    """Answers nothing, and notes which hosts a browser asks it for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self.socket.accept()
            except OSError:
                return
            with link:
                link.settimeout(5)
                try:
                    self.asked.append(link.recv(4096).decode("latin-1").split("\r\n")[0])
                except OSError:
                    continue


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy()
    yield made
    made.socket.close()


def test_the_page_asks_the_network_for_nothing(page: Path, tmp_path: Path, proxy: Proxy) -> None:
    flag = f"--proxy-server=127.0.0.1:{proxy.port}"
    copy = tmp_path / "asking.html"
    text = POLICY.sub("", page.read_text(encoding="utf-8"))
    copy.write_text(text.replace("</body>", '<img src="http://control.invalid/x"></body>'))
    dom(copy, flag)
    assert any("control.invalid" in line for line in proxy.asked)
    proxy.asked.clear()
    dom(page, flag)
    # What the browser asks for on its own account is not the page's doing.
    own = re.compile(r"google\.com|googleapis\.com|gstatic\.com|gvt1\.com|googleusercontent\.com")
    assert [line for line in proxy.asked if not own.search(line)] == []


OVERLAPS = """
const check = () => {
const found = [];
for (const svg of document.querySelectorAll('svg.chart')) {
  const frame = svg.getBoundingClientRect();
  const boxes = [...svg.querySelectorAll('text')]
    .map((text) => [text.textContent, text.getBoundingClientRect()])
    .filter(([, box]) => box.width > 0);
  const name = svg.querySelector('title').id;
  boxes.forEach(([words, box], index) => {
    if (box.left < frame.left - 1 || box.right > frame.right + 1
        || box.top < frame.top - 1 || box.bottom > frame.bottom + 1) {
      found.push(`${name}: "${words}" is cut off`);
    }
    for (const [others, other] of boxes.slice(index + 1)) {
      const wide = Math.min(box.right, other.right) - Math.max(box.left, other.left);
      const high = Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top);
      if (wide > 2 && high > 4) found.push(`${name}: "${words}" and "${others}" overlap`);
    }
  });
}
const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
if (wide > 0) found.push(`the page is ${wide} pixels too wide`);
return found;
};
const found = check();
// The positive control: what is moved onto something else, or out of the chart, is found.
const [first, second, third] = document.querySelectorAll('#run1 svg.chart text');
for (const name of ['x', 'y']) second.setAttribute(name, first.getAttribute(name));
second.removeAttribute('text-anchor');
third.setAttribute('y', -9);
return [found, check()];
"""


@pytest.mark.parametrize("size", ["1200,1000", "1000,1400", "390,800"])
def test_nothing_overlaps_or_is_cut_off(page: Path, tmp_path: Path, size: str) -> None:
    found, control = driven(page, tmp_path, OVERLAPS, f"--window-size={size}")
    assert found == []
    assert any("overlap" in words for words in control)
    assert any("cut off" in words for words in control)


def test_charts_can_be_read_off_and_zoomed(page: Path, tmp_path: Path) -> None:
    found = driven(
        page,
        tmp_path,
        """
        const svg = document.querySelector('#run3 svg.chart');
        const chart = JSON.parse(svg.dataset.chart);
        const total = [...svg.querySelectorAll('.panel')].find((p) => p.dataset.kind === 'total');
        const at = (share) => {
          const box = svg.getBoundingClientRect();
          const unit = box.width / 960;
          return { clientX: box.left + unit * (chart.x0 + share * (chart.x1 - chart.x0)),
                   clientY: box.top + unit * (Number(total.dataset.bottom) - 20) };
        };
        const send = (kind, share) => svg.dispatchEvent(new PointerEvent(kind,
          { ...at(share), bubbles: true, button: 0, pointerType: 'mouse' }));
        const ticks = () => [...svg.querySelector('.ticks').querySelectorAll('text')]
          .map((text) => Number(text.textContent.replaceAll(',', '')));
        const pins = () => [...svg.querySelectorAll('.pin')].filter((p) => !p.style.display).length;
        const tip = document.querySelector('.tip');
        const before = [ticks(), pins()];
        const median = Number(svg.querySelectorAll('.panel')[2]
          .querySelector('.pin').dataset.v);
        send('pointermove', (median - chart.lo) / (chart.hi - chart.lo));
        const read = tip.textContent;
        send('pointerdown', 0.05); send('pointermove', 0.2); send('pointerup', 0.2);
        const zoomed = [ticks(), pins(), svg.querySelector('.zoom').getAttribute('transform')];
        svg.parentElement.querySelector('.reset').click();
        const after = [ticks(), pins()];
        svg.dispatchEvent(new PointerEvent('pointerleave'));
        return { before, read, zoomed, after, hidden: tip.hidden, median,
                 error: document.documentElement.dataset.error || null };
        """,
    )
    assert found["error"] is None
    assert found["after"] == found["before"]
    assert found["hidden"] is True
    ticks, pins, transform = found["zoomed"]
    assert ticks != found["before"][0]
    assert max(ticks) < max(found["before"][0])
    assert pins < found["before"][1]
    assert transform.startswith("matrix(6.6")
    run = at_random(18e6)
    histogram = run.histograms["total"]
    median = int(found["median"])
    assert found["read"].startswith(f"total {median} cycles, {median * 5:,} ns: ")
    assert f"{histogram.counts[median]:,} events" in found["read"]
    below = 100 * histogram.counts[: median + 1].sum() / histogram.count
    assert f"{round(below, 3):.10g} % at most that" in found["read"]


def test_the_queue_is_read_off_cycle_by_cycle(tmp_path: Path) -> None:
    due = Schedule.bernoulli(16e6, CLOCK_HZ, 7, 60).cycles(0, 60)
    run = stored(due, ii=10, limit=48)
    assert run.trace is not None
    path = tmp_path / "short.html"
    path.write_text(html.render([run]), encoding="utf-8")
    found = driven(
        path,
        tmp_path,
        """
        const svg = [...document.querySelectorAll('svg.chart')]
          .find((one) => one.querySelector('title').textContent.includes('derandomiser'));
        const chart = JSON.parse(svg.dataset.chart);
        const clip = svg.querySelector('clipPath rect');
        const box = svg.getBoundingClientRect();
        const read = [];
        for (let cycle = Math.ceil(chart.lo); cycle < chart.hi; cycle += 1) {
          const share = (cycle + 0.5 - chart.lo) / (chart.hi - chart.lo);
          svg.dispatchEvent(new PointerEvent('pointermove', {
            clientX: box.left + box.width / 960 * (chart.x0 + share * (chart.x1 - chart.x0)),
            clientY: box.top + box.width / 960 * (clip.y.baseVal.value + 50), bubbles: true }));
          read.push(document.querySelector('.tip').textContent);
        }
        return read;
        """,
    )
    trace = run.trace
    first = int(trace.scheduled[0])
    assert len(found) == int(trace.scheduled[-1]) - first
    for cycle, words in enumerate(found, start=first):
        if "stretch" in words:
            continue
        waiting = int(((trace.scheduled <= cycle) & (trace.accepted > cycle)).sum())
        assert words.endswith(f": {waiting} waiting"), (cycle, words)


def test_series_can_be_switched_and_tables_sorted(page: Path, tmp_path: Path) -> None:
    found = driven(
        page,
        tmp_path,
        """
        const svg = document.querySelector('#run3 figure:nth-of-type(2) svg');
        const key = svg.querySelector('[data-key=service]');
        const shown = () => [...svg.querySelectorAll('rect.service')]
          .filter((part) => !part.closest('.legend') && getComputedStyle(part).display !== 'none')
          .length;
        const series = [shown()];
        key.dispatchEvent(new MouseEvent('click', { bubbles: true }));
        series.push(shown(), key.getAttribute('aria-pressed'));
        key.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
        series.push(shown(), key.getAttribute('aria-pressed'));
        const tables = [...document.querySelectorAll('table.sortable')];
        const table = tables[tables.length - 1];
        const head = [...table.tHead.rows[0].cells].find((c) => c.textContent.includes('p99.9'));
        const column = head.cellIndex;
        const values = () => [...table.tBodies[0].rows].map((row) => row.cells[column].dataset.v);
        head.querySelector('button').click();
        const up = [values(), head.getAttribute('aria-sort')];
        head.querySelector('button').click();
        const down = [values(), head.getAttribute('aria-sort')];
        return { series, up, down, error: document.documentElement.dataset.error || null };
        """,
    )
    assert found["error"] is None
    before, off, pressed, on, again = found["series"]
    assert (before > 10, off, pressed) == (True, 0, "false")
    assert (on, again) == (before, "true")

    def split(values: list[str]) -> tuple[list[float], list[str]]:
        known = [float(value) for value in values if value]
        return known, values[len(known) :]

    (up, unknown), order = split(found["up"][0]), found["up"][1]
    assert up == sorted(up)
    assert len(up) >= 5
    assert set(unknown) == {""}
    assert order == "ascending"
    (down, unknown), order = split(found["down"][0]), found["down"][1]
    assert down == up[::-1]
    assert set(unknown) == {""}
    assert order == "descending"


def picture(page: Path, path: Path, *flags: str) -> NDArray[np.float64]:
    """Return a screenshot, float64 [rows, columns, 3] in 0..1."""
    image = pytest.importorskip("matplotlib.image")
    chromium(page, f"--screenshot={path}", "--window-size=1200,3000", *flags)
    pixels: NDArray[np.float64] = np.asarray(image.imread(path), dtype=np.float64)[:, :, :3]
    return pixels


def test_light_and_dark(page: Path, tmp_path: Path) -> None:
    light = picture(page, tmp_path / "light.png")
    dark = picture(page, tmp_path / "dark.png", "--blink-settings=preferredColorScheme=0")
    assert light.mean() > 0.85
    assert dark.mean() < 0.25
    for pixels in (light, dark):
        # Something is drawn all the way down.
        assert all(band.std() > 0.01 for band in np.array_split(pixels, 10))


def words(text: str) -> list[str]:
    """Return what a page says, without the one button that its script adds to a plot."""
    silent = r"<(script|style)\b.*?</\1>|<button[^>]*>Show all</button>"
    return re.sub(r"<[^>]+>", " ", re.sub(silent, " ", text, flags=re.DOTALL)).split()


def test_without_scripts_the_page_says_the_same(page: Path, tmp_path: Path) -> None:
    copy = tmp_path / "still.html"
    text = SCRIPT.sub("", page.read_text(encoding="utf-8"))
    assert "<script" not in text
    copy.write_text(text, encoding="utf-8")
    still = words(dom(copy))
    assert len(still) > 200
    assert words(dom(page)) == still
    pixels = picture(copy, tmp_path / "still.png")
    assert all(band.std() > 0.01 for band in np.array_split(pixels, 10))


def test_the_page_prints(page: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    chromium(page, f"--print-to-pdf={path}", "--no-pdf-header-footer")
    content = path.read_bytes()
    assert content.startswith(b"%PDF-")
    # Every run begins a page.
    assert len(re.findall(rb"/Type\s*/Page\b", content)) >= 11
