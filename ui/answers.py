"""The model's answer as a picture: probabilities as bars, a number with its name, a future with its band."""

from __future__ import annotations

import csv
import io

import streamlit as st

from records.api import AnyPrediction, Description, ForecastPrediction, NumberPrediction, Prediction
from ui.curves import draw, probability_bars
from ui.forecast import forecast_curve, outermost
from ui.history import target_name
from ui.markup import headline, table
from ui.served import Answer, figures
from ui.words import duration, number, percent, plain, plural, precise, short


def show_answer(answer: Answer, description: Description) -> None:
    """What the server said, or why it did not."""
    if answer.response is None:
        st.error(plain(answer.sentence))
        return
    if not answer.response.predictions:
        st.error("The server answered without a prediction.")
        return
    _show(answer.response.predictions[0], answer, description)
    took = f"{1000 * answer.seconds:.0f} ms" if answer.seconds < 1 else duration(answer.seconds)
    st.caption(f"{plain(answer.response.model)} answered in {took}, there and back.")


def _show(prediction: AnyPrediction, answer: Answer, description: Description) -> None:
    match prediction:
        case Prediction():
            _show_class(prediction, description)
        case NumberPrediction():
            _show_number(prediction, description)
        case ForecastPrediction():
            _show_future(prediction, answer, description)
    if prediction.out_of_distribution:
        st.warning("This input is unlike the examples that the model was made from. Do not rely on the answer.")


def _show_class(prediction: Prediction, description: Description) -> None:
    label = prediction.label or ""
    headline(label or "no answer", f"probability {percent(prediction.probability)}")
    shown = prediction.classes
    told = ", ".join(f"{short(one.label)} {percent(one.probability)}" for one in shown[:3])
    draw(probability_bars(shown, label), f"Probabilities, the highest first: {told}.", 60 + 32 * len(shown))
    if (more := len(description.labels) - len(shown)) > 0:
        rest = max(0.0, 1 - sum(one.probability for one in shown))
        st.caption(f"The other {plural(more, 'class', 'classes')} have {percent(rest)} together.")
    if prediction.abstained:
        st.caption("Its probability is lower than this server gives answers from.")
    elif shown and label != shown[0].label:
        st.caption("The answer is not the most likely class: the model's threshold or its costs decide.")


def _show_number(prediction: NumberPrediction, description: Description) -> None:
    headline(precise(prediction.value), description.target or "the predicted number")
    if error := figures(description).get("mae"):
        st.caption(
            f"On its test split the model was off by {number(error.value)} on average (95 % interval "
            f"{number(error.low)} to {number(error.high)})."
        )


def _show_future(prediction: ForecastPrediction, answer: Answer, description: Description) -> None:
    steps, target = len(prediction.values), target_name(description)
    levels = sorted(prediction.quantiles, key=float)
    headline(f"The next {plural(steps, 'step')}", f"of {target}" if target else "")
    curve = forecast_curve(answer.raw.get("history") or [], description.columns, prediction)
    draw(curve, f"The past of {target}, its forecast for {plural(steps, 'step')}, and the band around it.", height=330)
    if len(levels) > 1:
        st.caption(f"Line: the median. Band: from the {levels[0]} to the {levels[-1]} quantile.")
    low, high = outermost(prediction)
    with st.expander("The numbers"):
        rows = zip(prediction.times, low, prediction.values, high, strict=True)
        table(["when", "low", "median", "high"], [[t, precise(a), precise(b), precise(c)] for t, a, b, c in rows], 3)
    st.download_button(
        "Download the forecast (csv)", _as_csv(prediction), "forecast.csv", "text/csv", on_click="ignore"
    )


def _as_csv(prediction: ForecastPrediction) -> str:
    levels = sorted(prediction.quantiles, key=float)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["time", "median", *(f"quantile {level}" for level in levels)])
    for i, time in enumerate(prediction.times):
        writer.writerow([time, prediction.values[i], *(prediction.quantiles[level][i] for level in levels)])
    return out.getvalue()
