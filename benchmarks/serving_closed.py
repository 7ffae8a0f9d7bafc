"""Servers beside each other under the same load: so many connections, each of which asks again when it has its reply.

All servers are started once. While one is measured the others are stopped by a signal, so that none of them takes a
core; the order turns with every round.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.cells import RESULTS
from benchmarks.serving_guards import HalfOpen, guards
from benchmarks.serving_methods import METHODS, OURS, Server, Variant, server
from benchmarks.serving_networks import bundle_of, home
from benchmarks.serving_payloads import Question, question
from benchmarks.serving_traffic import Traffic, failed

CONCURRENCIES = (1, 8, 32)


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long is measured."""

    seconds: float = 2.5
    """Of one load."""
    warm_up: float = 0.5
    rounds: int = 3
    open_seconds: float = 4.5
    open_rounds: int = 2
    trying: bool = False
    """Whether what was not set up or is not on is only told, instead of ending the measurement."""

    def of(self, network: str) -> Pace:
        """A large network answers batch by batch, half a second each: fewer and longer rounds see more of them."""
        return replace(self, seconds=1.6 * self.seconds, rounds=min(self.rounds, 2)) if network == "encoder" else self


PACE = Pace()
TRY = Pace(seconds=2.0, warm_up=0.5, rounds=1, open_seconds=2.0, open_rounds=1, trying=True)


def settings(network: str, pace: Pace = PACE) -> dict[str, Any]:
    """Every variant of every peer, and the one that answers the most requests at concurrency 1 and 32.

    The two rates are multiplied, so that neither is bought with the other.
    """
    asked, tried, chosen, pace = question(network, "json"), {}, {}, pace.of(network)
    for name, method in METHODS.items():
        if name == OURS:
            continue
        rates: dict[str, tuple[float, float]] = {}
        for variant in method.variants:
            with server(name, network, variant) as one:
                seen = [load(one, asked, number, pace.seconds * 0.7, 0.5) for number in (1, 32)]
            rates[str(variant)] = seen[0]["per_second"], seen[1]["per_second"]
        best = max(rates, key=lambda variant: rates[variant][0] * rates[variant][1])
        tried[name] = {variant: [round(rate, 1) for rate in pair] for variant, pair in rates.items()}
        chosen[name] = best
    return {"tried": tried, "chosen": chosen}


def best_variant(name: str, network: str, pace: Pace) -> Variant:
    """What `settings` chose for a peer.

    Raises:
        SystemExit: It was not measured yet.
    """
    method, path = METHODS[name], RESULTS / "serving" / f"settings-{network}.json"
    if name == OURS or (pace.trying and not path.exists()):
        return method.variants[0]
    if not path.exists():
        raise SystemExit(f"The peers' settings come first: python -m benchmarks.serving settings-{network}")
    chosen = json.loads(path.read_text("utf-8"))["figures"]["chosen"][name]
    return next(variant for variant in method.variants if str(variant) == chosen)


@contextmanager
def running(
    names: list[str], network: str, form: str, pace: Pace
) -> Iterator[tuple[dict[str, Server], dict[str, Any]]]:
    """Paused servers by method, and what is to be told of them; the guards of ours were tried.

    Raises:
        SystemExit: A guard is not on.
    """
    with ExitStack() as stack:
        servers: dict[str, Server] = {}
        for name in names:
            servers[name] = stack.enter_context(server(name, network, best_variant(name, network, pace)))
            if name == OURS:
                half_open = HalfOpen(servers[OURS].url)
        on = guards(servers[OURS].url, question(network, form).payload("plain"), half_open)
        off = [guard for guard, is_on in on.items() if not is_on]
        if off and not pace.trying:
            raise SystemExit(
                f"These guards are not on: {', '.join(off)}. Expected all of them, else it is no comparison."
            )
        for one in servers.values():
            one.pause()
        told = {
            "guards": [guard for guard, is_on in on.items() if is_on],
            "guards_off": off,
            "variants": {name: str(one.variant) for name, one in servers.items() if name != OURS},
            "engine": json.loads((bundle_of(home(), network) / "manifest.json").read_text("utf-8"))["engine"],
        }
        yield servers, told


def closed(network: str, form: str, pace: Pace = PACE) -> dict[str, Any]:
    """Every method at every concurrency; medians of the rounds, and of the ratios round by round."""
    asked, pace = question(network, form), pace.of(network)
    with running(list(METHODS), network, form, pace) as (servers, told):
        rounds: list[dict[str, dict[str, Any]]] = []
        for number in range(pace.rounds):
            order = list(METHODS) if number % 2 == 0 else list(METHODS)[::-1]
            rounds.append({name: _one_round(servers[name], asked, pace) for name in order})
    methods = {
        name: {
            f"c{concurrency}": {
                figure: round(statistics.median(one[name][f"c{concurrency}"][figure] for one in rounds), 3)
                for figure in ("p50_ms", "p99_ms", "per_second", "others_share")
            }
            for concurrency in CONCURRENCIES
        }
        for name in METHODS
    }
    generator = max(one[name]["c32"]["generator_cores"] for one in rounds for name in METHODS)
    return {
        "rounds": pace.rounds,
        "seconds_each": pace.seconds,
        "methods": methods,
        "ratios": _ratios(rounds),
        "generator_cores": round(generator, 2),
        **told,
    }


def _one_round(one: Server, asked: Question, pace: Pace) -> dict[str, Any]:
    one.resume()
    try:
        warm(one, asked, pace)
        return {f"c{number}": load(one, asked, number, pace.seconds, 0.2) for number in CONCURRENCIES}
    finally:
        one.pause()


def _ratios(rounds: list[dict[str, dict[str, Any]]]) -> dict[str, dict[str, float]]:
    """Ours over each: latency at concurrency 1, requests a second at each concurrency."""
    told: dict[str, dict[str, float]] = {}
    for name in METHODS:
        if name == OURS:
            continue
        told[name] = {
            "p50_c1": _median([one[OURS]["c1"]["p50_ms"] / one[name]["c1"]["p50_ms"] for one in rounds]),
            **{
                f"per_second_c{number}": _median(
                    [one[OURS][f"c{number}"]["per_second"] / one[name][f"c{number}"]["per_second"] for one in rounds]
                )
                for number in CONCURRENCIES
            },
        }
    return told


def _median(values: list[float]) -> float:
    return round(statistics.median(values), 3)


def warm(one: Server, asked: Question, pace: Pace) -> None:
    """A server that was paused comes back to its pace; what it answers meanwhile is not looked at."""
    payload = asked.payload(one.method.wrapping)
    Traffic(one.url + payload.path, payload.body, payload.headers, concurrency=8, seconds=pace.warm_up).start().wait()


def load(one: Server, asked: Question, concurrency: int, seconds: float, warm_up: float) -> dict[str, Any]:
    """One closed loop: figures of the replies that were 200.

    Raises:
        RuntimeError: A wrong answer, none at all, an error of the server's, or requests without a reply.
    """
    payload = asked.payload(one.method.wrapping)
    seen = (
        Traffic(
            one.url + payload.path, payload.body, payload.headers, concurrency=concurrency, seconds=seconds,
            warm_up=warm_up,
        )
        .start()
        .wait()
    )  # fmt: skip
    good = checked(one, asked, seen)
    total = sum(status["count"] for status in seen["statuses"].values())
    return {**good, "others_share": 1 - good["count"] / total, "generator_cores": seen["generator_cores"]}


def checked(one: Server, asked: Question, seen: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of the replies that were 200.

    Raises:
        RuntimeError: As `load` says.
    """
    strange = {
        status: seen["bodies"][status][:300] for status in seen["statuses"] if status not in ("200", "429", "503")
    }
    if strange or "200" not in seen["statuses"] or failed(seen):
        log = one.log.read_text("utf-8", errors="replace")[-2000:]
        raise RuntimeError(f"{one.method.title} answered {strange}, failures {seen['failures']}. Its log:\n{log}")
    asked.check(seen["bodies"]["200"])
    return dict(seen["statuses"]["200"])
