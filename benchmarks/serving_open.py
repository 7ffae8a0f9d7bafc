"""Servers under more load than they can take: requests come at random moments, whatever becomes of earlier ones."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.serving_closed import PACE, Pace, checked, load, running, warm
from benchmarks.serving_methods import OURS, Server
from benchmarks.serving_payloads import Question, question
from benchmarks.serving_traffic import Traffic, asked, failed

METHODS = (OURS, "bare")
UNLOADED = 0.1
"""Of capacity: so few that hardly one waits for another."""
FACTORS = (UNLOADED, 0.5, 1.0, 2.0, 4.0)
REFUSED = ("429", "503")


def opened(network: str, form: str, pace: Pace = PACE) -> dict[str, Any]:
    """Each method at shares of its own capacity, which is what it answers in a second at concurrency 32."""
    question_asked = question(network, form)
    with running(list(METHODS), network, form, pace) as (servers, told):
        rounds = []
        for number in range(pace.open_rounds):
            order = METHODS if number % 2 == 0 else METHODS[::-1]
            rounds.append({name: _one_round(servers[name], question_asked, pace, number) for name in order})
    methods = {
        name: {
            step: {figure: _median([one[name][step][figure] for one in rounds]) for figure in rounds[0][name][step]}
            for step in rounds[0][name]
        }
        for name in METHODS
    }
    return {"rounds": pace.open_rounds, "seconds_each": pace.open_seconds, "methods": methods, **told}


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(statistics.median(known), 3) if known else None


def _one_round(one: Server, question_asked: Question, pace: Pace, seed: int) -> dict[str, dict[str, float | None]]:
    one.resume()
    try:
        warm(one, question_asked, pace)
        capacity = load(one, question_asked, 32, 2 * pace.seconds, pace.warm_up)["per_second"]
        steps: dict[str, dict[str, float | None]] = {"capacity": {"per_second": capacity}}
        for factor in FACTORS:
            steps[f"x{factor:g}"] = _step(one, question_asked, factor * capacity, capacity, pace, seed)
        unloaded = steps[f"x{UNLOADED:g}"]["p99_ms"] or 1.0
        for step in list(steps.values())[1:]:
            step["p99_over_unloaded"] = (step["p99_ms"] or 0.0) / unloaded
        return steps
    finally:
        one.pause()


def _step(
    one: Server, question_asked: Question, rate: float, capacity: float, pace: Pace, seed: int
) -> dict[str, float | None]:
    payload = question_asked.payload(one.method.wrapping)
    seconds = pace.open_seconds * (2 if rate < 0.2 * capacity else 1)  # a 99th percentile needs some requests
    traffic = Traffic(
        one.url + payload.path, payload.body, payload.headers, rate=rate, seconds=seconds,
        warm_up=pace.warm_up, seed=seed,
    )  # fmt: skip
    seen = traffic.start().wait()
    good = checked(one, question_asked, seen)
    refused = [seen["statuses"][status] for status in REFUSED if status in seen["statuses"]]
    return {
        "offered_per_second": asked(seen) / seconds,
        "goodput_per_second": good["per_second"],
        "goodput_of_capacity": good["per_second"] / capacity,
        "p50_ms": good["p50_ms"],
        "p99_ms": good["p99_ms"],
        "refused_share": sum(one["count"] for one in refused) / asked(seen),
        "refusal_p50_ms": max((one["p50_ms"] for one in refused), default=None),
        "refusal_p99_ms": max((one["p99_ms"] for one in refused), default=None),
        "unanswered": seen["unanswered"] + failed(seen) + seen["failures"]["refused"],
        "generator_late_p99_ms": seen["late_p99_ms"],
        "generator_cores": seen["generator_cores"],
    }
