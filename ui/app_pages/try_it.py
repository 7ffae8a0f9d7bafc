"""Try a model: ask the server, see its answer, and what is served there."""

from __future__ import annotations

from typing import Any

import streamlit as st

from records.api import Description
from records.errors import KerasmithError
from ui.answers import show_answer
from ui.markup import facts, table
from ui.served import ask, body, command, default_server, figures, look, remember, remembered
from ui.stores import model_names
from ui.widgets import WIDGETS
from ui.words import interval, less_is_better, listed, metric_title, moment, number, plain, plural


def main() -> None:
    """The whole page."""
    title, field = st.columns([7, 5], vertical_alignment="bottom", gap="large")
    title.title("Try a model", anchor=False)
    url = field.text_input("Server", default_server(), key="server", persist_state="session") or default_server()
    served = look(url)
    if isinstance(served, str):
        _say_no_server(served)
        return
    _show_head(served)
    widget = WIDGETS.get(served.input_kind)
    if widget is None:
        st.warning(f"This page has no field for inputs of the kind {plain(served.input_kind)}.")
        return
    left, right = st.columns([6, 7], gap="large")
    with left:
        st.subheader("The input", anchor=False)
        raw = widget(served, f"{url} {served.model}")
    with right:
        st.subheader("The answer", anchor=False)
        asked = st.button("Ask the model", type="primary", width="stretch")
        _show_answer(url, served, raw, asked)
    st.divider()
    _show_served(url, served, raw)


def _say_no_server(sentence: str) -> None:
    st.warning(plain(sentence), icon=":material/cloud_off:")
    try:
        names = model_names()
    except KerasmithError as error:
        st.error(plain(error))
        return
    if names:
        st.write("Type this into a terminal, and load the page again:")
        st.code(f"kerasmith serve {names[0]}", language="bash")
    else:
        st.write("There is no model yet either. These lines make one and serve it, typed into a terminal:")
        st.code("kerasmith run digits --budget 2m\nkerasmith serve digits", language="bash")


def _show_head(served: Description) -> None:
    pairs = [("model", served.model, f"made {moment(served.created_at)}")]
    if served.labels:
        pairs.append(("answers with one of", plural(len(served.labels), "class", "classes"), listed(served.labels, 5)))
    elif served.horizon:
        pairs.append(("forecasts", plural(served.horizon, "step"), f"of {served.target}" if served.target else ""))
    else:
        pairs.append(("answers with", served.target or "a number", ""))
    pairs += [
        (f"{metric_title(name)} on its test split", number(figure.value), f"95 % interval {interval(figure)}")
        for name, figure in list(figures(served).items())[:1]
    ]
    facts(pairs)


def _show_answer(url: str, served: Description, raw: Any, asked: bool) -> None:
    if asked and raw is not None:
        with st.spinner("Asking …"):
            remember(ask(url, served, raw))
    answer = remembered(served, raw)
    if answer is not None:
        show_answer(answer, served)
    elif raw is None:
        st.caption("There is no input to ask about yet.")
    else:
        st.caption("Ask the model, and it appears here.")


def _show_served(url: str, served: Description, raw: Any) -> None:
    left, right = st.columns([6, 7], gap="large")
    with left:
        st.subheader("How good it was found to be", anchor=False)
        rows = [[_metric(name), number(figure.value), interval(figure)] for name, figure in figures(served).items()]
        table(["on the test split", "value", "95 % interval"], rows, numbers=2)
    with right:
        st.subheader("The same from a terminal", anchor=False)
        line = command(url, served.input_kind, raw)
        st.code(line, language="bash", wrap_lines=True)
        if "@request.json" in line and raw is not None:
            request = body(served.input_kind, raw)
            st.download_button("Download request.json", request, "request.json", "application/json", on_click="ignore")
        shape = " × ".join(str(side) for side in served.input_shape)
        st.caption(f"Engine: {plain(served.engine)}. The network takes arrays of {shape}.")


def _metric(name: str) -> str:
    less = less_is_better(name)
    return f"{metric_title(name)} ({less})" if less else metric_title(name)


if __name__ == "__main__":
    main()
