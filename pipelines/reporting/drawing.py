"""Plots as SVG that stands in the page. Colours are the page's CSS variables, so dark and light both fit.

Drawn by Vega inside this process: no browser, no network.
"""

from __future__ import annotations

import re

import altair as alt
import vl_convert
from markupsafe import Markup

FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif"


def draw(chart: alt.Chart | alt.LayerChart, grid: bool = True) -> Markup:
    """Draws it. Vega escapes every text that it writes."""
    axis = {"labelColor": "var(--muted)", "titleColor": "var(--muted)", "domainColor": "var(--line)"}
    axis |= {"tickColor": "var(--line)", "gridColor": "var(--line)"}
    chart = (
        chart.configure(background="transparent", font=FONT, padding=4, aria=False)
        .configure_axis(
            **axis, grid=grid, labelFontSize=12, titleFontSize=12, titleFontWeight="normal", titlePadding=10
        )
        .configure_view(stroke=None)
        .configure_legend(labelColor="var(--ink)", labelFontSize=12)
    )
    drawn = vl_convert.vegalite_to_svg(chart.to_dict())
    # `role` and `aria-*` say nothing that the figure around it does not say
    return Markup(re.sub(r' (?:role|aria-[a-z]+|class|pointer-events|xmlns:xlink|version)="[^"<>]*"', "", drawn))
