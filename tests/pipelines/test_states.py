"""What happened to trials, in words that claim no more than the ledger says."""

from dataclasses import replace

import pytest

from pipelines.reporting.course import course, saved_seconds
from pipelines.reporting.states import counted, marks, origin, reason, short_origin
from records.trial import TrialState
from tests.pipelines.told_trials import trial, trials


def test_every_state_is_counted_and_pruned_ones_are_done() -> None:
    assert counted(trials()) == "4 trials done, 1 of them stopped early, 2 running, 1 waiting, 1 failed"
    assert counted(trials()[2:3]) == "1 trial done, all stopped early"
    assert counted([]) == "0 trials done"


def test_where_a_trial_came_from() -> None:
    floor, known, proposed, *_, warm = trials()
    assert origin(floor) == "the floor baseline" and short_origin(floor) == ""
    assert origin(known) == "known to be good on such data: On photographs a linear head is strong within seconds"
    assert (origin(proposed), short_origin(proposed)) == ("proposed from the trials before", "proposed")
    assert origin(warm) == "was best in an earlier run on data of the same shape: 0.91 in run 3f2a"
    assert origin(replace(floor, origin="my own\x1b[2J idea")) == "my own\ufffd[2J idea"
    assert origin(replace(floor, origin="")) == ""


def test_what_was_not_as_usual_and_why_there_is_no_score() -> None:
    told = [marks(one) for one in trials()]
    assert told[:4] == [[], ["half the batch"], ["stopped early"], ["attempt 2", "went on from step 1,200"]]
    assert [reason(one) for one in trials()[4:]] == [
        "The loss became nan.", "It had not ended.", "It had not ended.", "It waits to be taken up again."
    ]  # fmt: skip


def test_how_a_search_went() -> None:
    told = " ".join(course(trials()))
    for expected in (
        "Of 8 trials, 1 was the floor baseline, 1 was known to be good on such data, 5 were proposed from the trials "
        "before and 1 was best in an earlier run on data of the same shape.",
        "1 trial was stopped early, since others were ahead; its score counts all the same.",
        "To the planned end it would have been 30 s more.",
        "1 of 4 trained networks used the compiled graph of an earlier trial",
        "Trial 3 began again since its worker died. It then ended well.",
        "Trial 1 trained with half the batch",
        "Trial 3 went on from a checkpoint",
    ):
        assert expected in told
    assert course([]) == course([trial(0, "floor", TrialState.COMPLETED, 0.5)]) == []


def test_what_was_saved_is_told_from_the_trial_s_own_pace() -> None:
    pruned = trials()[2]
    assert saved_seconds([pruned, *trials()[:2]]) == pytest.approx(30.0)  # 60 steps in 30 s, 60 more were planned
    assert pruned.result is not None
    untold = replace(pruned, result=replace(pruned.result, steps=0))
    assert saved_seconds([untold]) == 0.0
    assert "planned end" not in " ".join(course([untold]))


def test_retries_say_how_they_ended() -> None:
    again = [replace(trial(i, "cnn", TrialState.FAILED), attempt=2) for i in range(8)]
    assert "Trial 0 began again since its worker died. It gave nothing then either." in course(again[:1])
    assert "Trials 0, 1 and 2 began again since their workers died. 0 of them then ended well." in course(again[:3])
    assert "8 trials began again since their workers died. 0 of them then ended well." in course(again)
