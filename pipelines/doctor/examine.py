"""Is this machine, and this home, fit for work? Looks, and changes nothing."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from pipelines.backend import configured, what_is_wrong
from pipelines.doctor import probes
from pipelines.reporting.wording import plural, size
from records.errors import KerasmithError
from store.files import free_bytes
from store.home import Home

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)
MIN_FREE_BYTES = 1e9
"""Less than this does not hold one run of a small dataset."""
WANTED_FREE_BYTES = 5e9
WANTED_MEMORY_BYTES = 4e9
"""A search worker with TensorFlow takes 1 to 2 GB, and the process that packages as much again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool | None
    """`None`: nothing is broken, but it is worth knowing, or it could not be told."""
    what: str
    """A sentence: what was found."""
    fix: str = ""
    """A sentence: what to do; empty where nothing needs doing."""


def examine(home: Home) -> list[Check]:
    """Looks at everything, in less than 15 seconds. Never raises: what breaks is a check that failed."""
    from pipelines.doctor.stores import store_checks

    # both are asked in processes of their own, while the rest is looked at
    with probes.asking(probes.KERAS) as keras, probes.asking(probes.TELEMETRY) as telemetry:
        checks = [
            python_check(),
            guarded("machine", machine_check),
            guarded("home folder", lambda: home_check(home)),
            *store_checks(home),
            guarded("pretrained weights", weights_check),
        ]
        return [*checks, *keras_checks(keras()), telemetry_check(telemetry())]


def guarded(name: str, look: Callable[[], Check]) -> Check:
    """A check of that name, whatever happens in it."""
    try:
        return look()
    except KerasmithError as error:
        return Check(name=name, ok=False, what=str(error))
    except Exception as error:
        return Check(name=name, ok=False, what=f"It could not be looked at: {type(error).__name__}: {error}.")


def python_check() -> Check:
    """The interpreter's version."""
    version = ".".join(map(str, sys.version_info[:3]))
    if OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON:
        return Check(name="Python", ok=True, what=f"{version}, in {sys.prefix}.")
    return Check(name="Python", ok=False, what=f"{version} is not supported.", fix="Use Python 3.11, 3.12 or 3.13.")


def keras_checks(answer: probes.Answer) -> list[Check]:
    """Whether Keras can be imported with the backend that is chosen, and whether it sees a GPU."""
    if wrong := what_is_wrong(configured()):
        fix = "Unset KERAS_BACKEND to compute with TensorFlow, or set it to jax where JAX is installed."
        return [Check(name="Keras", ok=False, what=wrong, fix=fix)]
    if answer.timed_out:
        what = f"Importing it took more than {probes.LIMIT_SECONDS:.0f} s: the machine is busy, or the disk slow."
        return [Check(name="Keras", ok=None, what=what, fix="Try again: the second time is faster.")]
    if answer.error:
        fix = "Install the locked requirements again, as the README says."
        return [Check(name="Keras", ok=False, what=answer.error, fix=fix)]
    found = answer.fields
    what = f"Keras {found['keras']} on {found['backend']}, imported in {found['seconds']:.1f} s."
    if found["backend"].startswith("jax"):
        what += " Models are exported by TensorFlow, in processes of their own."
    devices = found["devices"]
    gpu = f"{plural(len(devices), 'GPU')}: {', '.join(devices)}." if devices else "None is seen: the processor is used."
    return [
        Check(name="Keras", ok=True, what=what),
        Check(name="GPU", ok=True if devices else None, what=gpu),
    ]


def telemetry_check(answer: probes.Answer) -> Check:
    """Whether the installed BentoML still obeys the switch that Kerasmith sets wherever it starts it."""
    if answer.fields.get("off") is True:
        return Check(name="telemetry", ok=True, what="Off: BentoML obeys BENTOML_DO_NOT_TRACK, which is always set.")
    if answer.fields.get("off") is False:
        what = "BentoML does not obey BENTOML_DO_NOT_TRACK."
        return Check(name="telemetry", ok=False, what=what, fix="Install the locked version of bentoml again.")
    return Check(name="telemetry", ok=None, what=f"BentoML was asked whether it is off. {answer.error}")


def machine_check() -> Check:
    """Cores and memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    total = probes.memory_bytes()
    available = min(total, psutil.virtual_memory().available)
    what = f"{plural(cores, 'core')}, {size(total)} of memory, {size(available)} of it free."
    if available < WANTED_MEMORY_BYTES:
        fix = f"Close other programs: a run takes up to {size(WANTED_MEMORY_BYTES)}."
        return Check(name="machine", ok=None, what=what, fix=fix)
    return Check(name="machine", ok=True, what=what)


def home_check(home: Home) -> Check:
    """Whether the home can be written, tried by writing, and how much room there is."""
    try:
        with tempfile.NamedTemporaryFile(dir=home.root, prefix=".doctor-") as file:
            file.write(b"written")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        what = f"{home.root} cannot be written: {error.strerror}."
        fix = "Change its permissions or make room, or set KERASMITH_HOME to another folder."
        return Check(name="home folder", ok=False, what=what, fix=fix)
    free = free_bytes(home.root)
    what = f"{home.root} can be written; {size(free)} are free."
    if free < WANTED_FREE_BYTES:
        fix = "Make room, or set KERASMITH_HOME to a folder on another disk."
        return Check(name="home folder", ok=None if free >= MIN_FREE_BYTES else False, what=what, fix=fix)
    return Check(name="home folder", ok=True, what=what)


def weights_check() -> Check:
    """Pretrained backbones whose weights are on this machine."""
    from search_spaces.backbones import available
    from search_spaces.text_backbones import TEXT_BACKBONES, text_backbone_available

    usable, missing = available()
    for name in TEXT_BACKBONES:
        reason = text_backbone_available(name)
        if reason is None:
            usable.append(name)
        else:
            missing.append((name, reason))
    what = f"Installed: {', '.join(usable) or 'none'}."
    if not missing:
        return Check(name="pretrained weights", ok=True, what=what)
    what += " Photographs and texts are learnt much better with them."
    return Check(name="pretrained weights", ok=None, what=what, fix=" ".join(reason for _, reason in missing))
