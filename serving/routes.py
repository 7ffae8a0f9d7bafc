"""Every address that the server answers. Whatever is not in this table is a 404."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """One address."""

    path: str
    method: str
    summary: str
    ours: bool = True
    """False where BentoML answers."""


ROUTES: dict[str, Route] = {
    route.path: route
    for route in (
        Route(path="/predict", method="POST", summary="Answer one input or several."),
        Route(path="/describe", method="GET", summary="What is served, how good it was found to be, and its limits."),
        Route(path="/sample.json", method="GET", summary="A body for /predict that works as it is."),
        Route(path="/openapi.json", method="GET", summary="This description."),
        Route(path="/docs.json", method="GET", summary="This description, where BentoML has it."),
        Route(path="/", method="GET", summary="A page for people."),
        Route(path="/healthz", method="GET", summary="200 while the process lives.", ours=False),
        Route(path="/livez", method="GET", summary="200 while the process lives.", ours=False),
        Route(path="/readyz", method="GET", summary="200 once the model has reproduced its sample.", ours=False),
        Route(path="/metrics", method="GET", summary="Counts and durations, for Prometheus.", ours=False),
    )
}


def methods(route: Route) -> tuple[str, ...]:
    """What the address answers to; HEAD is a GET without its body."""
    return ("GET", "HEAD") if route.method == "GET" else (route.method,)
