"""Every address that the server answers. Whatever is not in this table is a 404."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """One address."""

    path: str
    """A name in braces stands for one part of an address: `/models/{ref}/predict`."""
    method: str
    summary: str
    handler: str = ""
    """A key of `serving.handlers.HANDLERS`; empty where BentoML answers."""
    works: bool = False
    """Whether the model works for it: such requests are counted, limited and answered in a thread of their own."""
    open: bool = False
    """Whether it is answered without a token, where tokens are asked for."""

    @property
    def ours(self) -> bool:
        """False where BentoML answers."""
        return bool(self.handler)

    @property
    def group(self) -> str:
        """Routes of the same name belong together, for people who read them."""
        if self.path == "/v2" or self.path.startswith("/v2/"):
            return "Open Inference Protocol"
        if not self.ours or self.handler in ("alive", "ready", "metrics"):
            return "Health and figures"
        return "This model"


ROUTES: dict[str, Route] = {
    route.path: route
    for route in (
        Route(path="/predict", method="POST", summary="Answer one input or several.", handler="predict", works=True),
        Route(
            path="/models/{ref}/predict",
            method="POST",
            summary="The same, if the model that is served has this name (NAME or NAME:VERSION).",
            handler="predict",
            works=True,
        ),
        Route(
            path="/feedback",
            method="POST",
            summary="Keep the true answers to earlier requests, told by their request_id.",
            handler="feedback",
        ),
        Route(
            path="/describe",
            method="GET",
            summary="What is served, how good it was found to be, and its limits.",
            handler="page",
        ),
        Route(path="/sample.json", method="GET", summary="A body for /predict that works as it is.", handler="page"),
        Route(path="/openapi.json", method="GET", summary="This description.", handler="page"),
        Route(path="/docs.json", method="GET", summary="This description, where BentoML has it.", handler="page"),
        Route(path="/", method="GET", summary="A page for people.", handler="page"),
        Route(path="/v2", method="GET", summary="Open Inference Protocol: the server.", handler="v2_server"),
        Route(
            path="/v2/health/live", method="GET", summary="200 while the process lives.", handler="v2_live", open=True
        ),
        Route(
            path="/v2/health/ready",
            method="GET",
            summary="200 once the model is loaded, before that 503.",
            handler="v2_ready",
            open=True,
        ),
        *(
            Route(path=f"/v2/models/{model}{path}", method=method, summary=summary, handler=handler, works=works)
            for model in ("{name}", "{name}/versions/{version}")
            for path, method, summary, handler, works in (
                ("", "GET", "The tensors that the model takes and gives.", "v2_model", False),
                ("/ready", "GET", "200 once the model is loaded, before that 503.", "v2_model_ready", False),
                ("/infer", "POST", "Answer tensors with tensors, as JSON or in binary.", "v2_infer", True),
            )
        ),
        Route(path="/healthz", method="GET", summary="200 while the process answers.", handler="alive", open=True),
        Route(path="/livez", method="GET", summary="200 while the process answers.", handler="alive", open=True),
        Route(
            path="/readyz",
            method="GET",
            summary="200 once the model has reproduced its sample, 503 before and while the server is stopping.",
            handler="ready",
            open=True,
        ),
        Route(path="/metrics", method="GET", summary="Counts and durations, for Prometheus.", handler="metrics"),
    )
}
PLAIN: Mapping[str, str] = {}


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path)))


PATTERNS = tuple((_pattern(path), route) for path, route in ROUTES.items() if "{" in path)


def find(path: str) -> tuple[Route, Mapping[str, str]] | None:
    """The route of an address, and what stands in it for the names in braces; `None` where there is none.

    Args:
        path: Of the address, decoded as ASGI has it; parts in which a `/` stood encoded are not told from others, so
            no name may hold one.
    """
    route = ROUTES.get(path)
    if route is not None and "{" not in path:
        return route, PLAIN
    for pattern, route in PATTERNS:
        if match := pattern.fullmatch(path):
            return route, match.groupdict()
    return None


def methods(route: Route) -> tuple[str, ...]:
    """What the address answers to; HEAD is a GET without its body."""
    return ("GET", "HEAD") if route.method == "GET" else (route.method,)
