"""What was read, as a table, as ratios, as JSON and as a picture."""

import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from xml.sax.saxutils import escape

NGINX, ARKROUTE, PLAIN, DIRECT = "nginx", "ArkRoute", "plain DRF", "upstream alone"


@dataclass(frozen=True)
class Case:
    """A kind of load. `pace` is the milliseconds between the events of a stream; 0 sends them at once."""

    stream: bool
    connections: int
    pace: int = 0

    def __str__(self) -> str:
        kind = "stream of 100 chunks" if self.stream else "non-stream"
        pace = f", {self.pace} ms apart" if self.pace else ""
        return f"{kind}{pace}, {self.connections} connection{'s' if self.connections > 1 else ''}"


@dataclass(frozen=True)
class Reading:
    """One contestant under one load, from idle to idle. CPU in microseconds per request, latencies in milliseconds,
    `busy` in cores; `requests` counts whole, correct answers alone."""

    contestant: str
    case: Case
    requests: int
    errors: dict[str, int]
    cpu: float
    database_cpu: float | None
    rate: float
    busy: float
    load_busy: float
    p50: float
    p99: float

    def __str__(self) -> str:
        errors = "".join(f", {times} x {reason}" for reason, times in self.errors.items())
        return f"{self.case}: {self.contestant}: {self.cpu:,.0f} us CPU, {self.rate:,.0f}/s{errors}"


@dataclass
class Report:
    """All readings of a run. `wrong` makes it end with an error; `left_out` says which peers took no part, and why."""

    machine: dict[str, str]
    readings: dict[Case, dict[str, list[Reading]]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def add(self, reading: Reading) -> None:
        self.readings.setdefault(reading.case, {}).setdefault(reading.contestant, []).append(reading)

    def text(self) -> str:
        lines = ["", *(f"{name}: {value}" for name, value in self.machine.items())]
        for case, contestants in self.readings.items():
            lines += ["", f"== {case} ==", _HEAD]
            lines += [_row(name, readings) for name, readings in contestants.items()]
            lines += self._ratio_lines(case)
        lines += [f"LEFT OUT: {name}: {reason}" for name, reason in self.left_out.items()]
        lines += [f"WRONG: {complaint}" for complaint in self.wrong]
        return "\n".join(lines)

    def _ratio_lines(self, case: Case) -> list[str]:
        return [
            f"{above} : {below} = {middle:.1f} ({low:.1f}-{high:.1f})"
            for above, below, (low, middle, high) in self.ratios(case)
        ]

    def ratios(self, case: Case) -> list[tuple[str, str, tuple[float, float, float]]]:
        """CPU per request of one contestant over that of another in the same round: lowest, median, highest."""
        contestants = {
            name: readings for name, readings in self.readings[case].items() if all(r.requests for r in readings)
        }
        ours = [name for name in contestants if name.startswith(ARKROUTE)]
        plain = [name for name in contestants if name.startswith(PLAIN)]
        pairs = [(name, NGINX) for name in ours if NGINX in contestants] + [(p, name) for name in ours for p in plain]
        return [(above, below, _quotients(contestants[above], contestants[below])) for above, below in pairs]

    def as_dict(self) -> dict:
        return {
            "machine": self.machine,
            "readings": [asdict(r) for of in self.readings.values() for readings in of.values() for r in readings],
            "ratios": [
                {"case": str(case), "of": above, "to": below, "lowest": low, "median": middle, "highest": high}
                for case in self.readings
                for above, below, (low, middle, high) in self.ratios(case)
            ],
            "left_out": self.left_out,
            "wrong": self.wrong,
        }

    def svg(self) -> str:
        """Requests per second of CPU time, one bar for each contestant, a longer bar being the better one."""
        panels, top = [], 64
        for case, contestants in self.readings.items():
            bars = [
                (name, 1e6 / _median(readings, _cpu))
                for name, readings in contestants.items()
                if name != DIRECT and any(r.requests for r in readings)
            ]
            panels.append(_panel(str(case), bars, top))
            top += 44 + 30 * len(bars)
        return _SVG.format(height=top, panels="".join(panels), about=escape(self.machine["processor"]))


_HEAD = (
    f"{'':<20}{'CPU us/request':>26}{'Postgres':>10}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}"
    f"{'core':>7}{'load':>7}{'errors':>8}"
)


def _row(name: str, readings: list[Reading]) -> str:
    cpu = [reading.cpu for reading in readings]
    database = [reading.database_cpu for reading in readings if reading.database_cpu is not None]
    spread = f"{median(cpu):,.0f} ({min(cpu):,.0f}-{max(cpu):,.0f})"
    return (
        f"{name:<20}{spread:>26}{f'{median(database):,.0f}' if database else '-':>10}"
        f"{_median(readings, lambda r: r.rate):>12,.0f}{_median(readings, lambda r: r.p50):>9,.1f}"
        f"{_median(readings, lambda r: r.p99):>9,.1f}{_median(readings, lambda r: r.busy):>7.0%}"
        f"{_median(readings, lambda r: r.load_busy):>7.0%}{sum(sum(r.errors.values()) for r in readings):>8}"
    )


def _cpu(reading: Reading) -> float:
    return reading.cpu


def _median(readings: list[Reading], value: Callable[[Reading], float]) -> float:
    return median(map(value, readings))


def _quotients(above: list[Reading], below: list[Reading]) -> tuple[float, float, float]:
    quotients = sorted(a.cpu / b.cpu for a, b in zip(above, below, strict=True))
    return quotients[0], median(quotients), quotients[-1]


_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" font-family="system-ui, sans-serif" font-size="13">
<rect width="760" height="{height}" rx="8" fill="#fbfaf7"/>
<g fill="#1d2733">
<text x="24" y="30" font-size="17" font-weight="600">Requests per second of CPU time: longer is better</text>
<text x="24" y="50" fill="#5c6773">one gateway process on one core, {about}</text>
{panels}</g>
</svg>
"""
_COLOURS = {NGINX: "#9aa5b1", ARKROUTE: "#0f766e", PLAIN: "#c2703d"}


def _panel(title: str, bars: list[tuple[str, float]], top: int) -> str:
    longest = max((value for _, value in bars), default=1)
    lines = [f'<text x="24" y="{top + 22}" font-weight="600">{escape(title)}</text>\n']
    for number, (name, value) in enumerate(bars):
        y = top + 34 + 30 * number
        colour = next((c for start, c in _COLOURS.items() if name.startswith(start)), "#9aa5b1")
        width = max(1.5, 440 * value / longest)
        lines.append(
            f'<text x="170" y="{y + 16}" text-anchor="end">{escape(name)}</text>'
            f'<rect x="180" y="{y}" width="{width:.1f}" height="22" rx="3" fill="{colour}"/>'
            f'<text x="{188 + width:.1f}" y="{y + 16}">{value:,.0f}</text>\n'
        )
    return "".join(lines)


def machine() -> dict[str, str]:
    """Where the figures were taken, for whoever reads them later."""
    cpu_info = Path("/proc/cpuinfo").read_text()
    names = [line.partition(":")[2].strip() for line in cpu_info.splitlines() if line.startswith("model name")]
    return {
        "processor": f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores",
        "system": platform.platform(),
        "python": platform.python_version(),
        "load average at the start": " ".join(f"{value:.2f}" for value in os.getloadavg()),
    }
