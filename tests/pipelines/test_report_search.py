"""The report's part about the search: states, what was saved, what mattered."""

import random
import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape

from pipelines.reporting.charts import search_plot
from pipelines.reporting.facts import ReportFacts
from records.trial import Trial, TrialState
from tests.pipelines.test_report import read, squeeze
from tests.pipelines.told_trials import WHY

NASTY = "<script>alert(1)</script>"


def told(facts: ReportFacts) -> str:
    """Its words, with a space between two cells."""
    html, _ = read(facts)
    return squeeze(unescape(re.sub(r"<[^>]+>", " ", html)))


def early(trial: Trial) -> Trial:
    assert trial.result is not None
    return replace(trial, state=TrialState.PRUNED, result=replace(trial.result, pruned=True, steps=60))


def test_a_trial_that_was_stopped_early_is_ranked_and_marked(make_facts: Callable[..., ReportFacts]) -> None:
    facts = make_facts(num_trials=6)
    trials = [early(trial) if trial.number == 3 else trial for trial in facts.trials]
    text = told(replace(facts, trials=tuple(trials)))
    assert text.count("stopped early") == 3  # caption, paragraph and row
    assert "A hollow point was stopped early." in text
    assert "1 trial was stopped early, since others were ahead" in text
    assert "Trials without a result trial space why 6 cnn NotFinite" in text  # the pruned one is none of them
    assert "stopped early" not in told(facts)


def test_waiting_and_running_trials_say_why_they_have_no_score(make_facts: Callable[..., ReportFacts]) -> None:
    facts = make_facts(num_trials=3)
    more = [
        replace(facts.trials[-1], number=number, state=state, error=None)
        for number, state in ((7, TrialState.WAITING), (8, TrialState.RUNNING))
    ]
    text = told(replace(facts, trials=(*facts.trials, *more)))
    assert "7 cnn It waits to be taken up again." in text and "8 cnn It had not ended." in text


def test_where_a_trial_came_from_is_told_and_harmless(make_facts: Callable[..., ReportFacts]) -> None:
    facts = make_facts(num_trials=4)
    origins = ("floor", WHY, "tpe", f"warm start: {NASTY}", "tpe")
    trials = tuple(replace(trial, origin=o) for trial, o in zip(facts.trials, origins, strict=True))
    html, page = read(replace(facts, trials=trials))
    text = squeeze(page.words)
    assert "known to be good on such data: On photographs a linear head is strong within seconds" in text
    assert f"was best in an earlier run on data of the same shape: {NASTY}" in text
    assert NASTY not in html
    assert "How the search went Of 5 trials, 1 was the floor baseline" in text


def test_what_mattered_is_told_where_there_are_enough_trials(make_facts: Callable[..., ReportFacts]) -> None:
    draws = random.Random(3)
    facts = make_facts(num_trials=25)
    trials = []
    for trial in facts.trials:
        values = dict(trial.values)
        for name in sorted(values.keys() & {"cnn/learning_rate", "cnn/filters", "frozen_backbone/dropout_rate"}):
            values[name] = draws.choice([16, 32, 64]) if name == "cnn/filters" else draws.random()
        score = trial.score
        if trial.space == "cnn" and score is not None:
            score = 0.5 + 0.4 * values["cnn/learning_rate"] + 0.01 * draws.random()
        trials.append(replace(trial, values=values, score=score))
    text = told(replace(facts, trials=tuple(trials)))
    _, _, about = text.partition("What mattered")
    assert about.startswith(" Of the differences in validation accuracy that the settings of a space explain")
    assert "nothing of values that were not tried" in about
    assert "cnn 12 trials learning rate > 99 % filters < 1 %" in about
    assert "dropout rate" not in about.partition("Learning curves")[0]  # it alone was varied in its space
    assert "What mattered" not in told(make_facts(num_trials=4))


def test_a_plot_of_early_trials_alone_is_drawn(make_facts: Callable[..., ReportFacts]) -> None:
    trials = [early(trial) for trial in make_facts(num_trials=4).trials[:4]]
    assert search_plot(trials, "accuracy", 0).startswith("<svg")
