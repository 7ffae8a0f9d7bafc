"""Who hangs, by the supervisor's own clock."""

from pipelines.workers.watching import LONGEST_LOOK, Limits, Watch
from records.trial import Lease


def lease(beat: int = 0, worker: str = "a", number: int = 1, max_seconds: float = 10.0) -> Lease:
    return Lease(run_id="r", number=number, worker=worker, max_seconds=max_seconds, beat=beat)


def look_every_second(watch: Watch, seconds: range, beats: bool, **fields: float) -> list[int]:
    """The seconds at which there was trouble."""
    found = []
    for second in seconds:
        one = lease(beat=second if beats else 0, **fields)  # type: ignore[arg-type]
        if watch.look([one], float(second)):
            found.append(second)
    return found


def test_a_worker_that_beats_is_left_alone_until_its_trial_is_far_too_late() -> None:
    watch = Watch(Limits(silence=30, factor=1.5, grace=30))
    assert look_every_second(watch, range(100, 160), beats=True) == list(range(146, 160))  # 10 s * 1.5 + 30 s = 45 s
    (trouble,) = watch.look([lease(beat=160)], 160.0)
    assert trouble.is_late and trouble.seconds == 60.0


def test_silence_is_trouble_before_the_deadline() -> None:
    watch = Watch(Limits(silence=30))
    assert look_every_second(watch, range(100, 133), beats=False, max_seconds=600.0) == [131, 132]
    (trouble,) = watch.look([lease(max_seconds=600.0)], 133.0)
    assert not trouble.is_late and trouble.seconds == 33.0


def test_one_beat_is_enough_to_be_alive_again() -> None:
    watch = Watch(Limits(silence=30))
    assert look_every_second(watch, range(0, 30), beats=False, max_seconds=600.0) == []
    assert watch.look([lease(beat=1, max_seconds=600.0)], 30.0) == []
    assert watch.look([lease(beat=1, max_seconds=600.0)], 34.0) == []


def test_time_in_which_the_supervisor_itself_stood_still_is_nobodys_fault() -> None:
    watch = Watch(Limits(silence=30))
    watch.look([lease(max_seconds=10.0)], 0.0)
    assert watch.look([lease(max_seconds=10.0)], 10_000.0) == []
    assert watch.clock == LONGEST_LOOK


def test_the_next_trial_and_the_next_worker_begin_anew() -> None:
    watch = Watch(Limits(silence=30, factor=1.5, grace=0))
    for second in range(0, 29):
        watch.look([lease(beat=second, max_seconds=20.0)], float(second))
    for second in range(29, 58):
        assert watch.look([lease(beat=second, number=2, max_seconds=20.0)], float(second)) == []
    for second in range(58, 80):
        assert watch.look([lease(beat=0, worker="b", number=2, max_seconds=20.0)], float(second)) == []
    assert watch.has_worked("a") and watch.has_worked("b") and not watch.has_worked("c")


def test_silence_of_all_can_be_forgiven() -> None:
    watch = Watch(Limits(silence=30))
    assert look_every_second(watch, range(0, 32), beats=False, max_seconds=600.0) == [31]
    watch.forgive_silence()
    assert look_every_second(watch, range(32, 62), beats=False, max_seconds=600.0) == []
