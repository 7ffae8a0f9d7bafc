"""How far a model's own word on how sure it is can be believed, in sentences."""

from __future__ import annotations

from pipelines.reporting.wording import number, plural
from records.bundle import Calibration, Manifest
from records.evaluation import Coverage


def sureness_sentences(manifest: Manifest) -> list[str]:
    """What was done to its probabilities, and whether sets and intervals hold what they promise; nothing in a bundle
    that was made before there was any of it."""
    told = [] if manifest.calibration is None else [calibration_sentence(manifest.calibration)]
    if manifest.evaluation.conformal is not None:
        told.append(coverage_sentence(manifest.evaluation.conformal, manifest))
    return told


def calibration_sentence(calibration: Calibration) -> str:
    """Which temperature was chosen, and what it changed on examples that it was not chosen on."""
    examples = plural(calibration.num_examples, "example")
    if calibration.temperature == 1.0:
        return (
            f"Its probabilities are as the network gives them: on {examples} that it was not fitted on, no temperature "
            f"lowered the log-loss ({number(calibration.log_loss_before)}) by more than noise."
        )
    said = "less sure" if calibration.temperature > 1.0 else "surer"
    return (
        f"A temperature of {calibration.temperature:.3g} makes its probabilities {said}: on {examples} that it was not "
        f"fitted on, log-loss {number(calibration.log_loss_before)} became {number(calibration.log_loss_after)} and "
        f"the calibration error {number(calibration.error_before)} became {number(calibration.error_after)} "
        "(cross-fitted). Which class is the most likely one does not change."
    )


def coverage_sentence(coverage: Coverage, manifest: Manifest) -> str:
    """Whether sets, or intervals, hold the truth as often as was asked for."""
    found = coverage.found
    what, size = "an interval", f"a width of {number(coverage.mean_size)}"
    if manifest.labels:
        what = "a set of classes"
        size = f"{coverage.mean_size:.2f} of {plural(len(manifest.labels), 'class', 'classes')}"
    told = (
        f"Asked for a coverage of {coverage.asked:g}, it answers with {what} that should hold the truth in "
        f"{_percent(coverage.asked)} of all cases; in the test split it does in {_percent(found.value)} (95 % interval "
        f"{_percent(found.low)} to {_percent(found.high)}), with {size} on average. How large it has to be was found "
        f"on {plural(coverage.num_scores, 'example')} that the weights had not seen."
    )
    if found.high < coverage.asked:
        return f"{told} That is less than it promises: the test split is unlike these examples."
    return told


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
