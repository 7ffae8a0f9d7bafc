import json
import shlex
from typing import Any

import pytest
import yaml

from serving.building.manifests import DRAIN_SECONDS, Deployed, manifests
from serving.limits import Limits
from serving.routes import find
from serving.settings import ServeOptions

FILES = manifests(Deployed(name="table_row", version="3-ab", measured_bytes=130 * 2**20, body_bytes=2**28, hashes=True))


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(FILES[name]))


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """(instruction, the rest), with continued lines joined."""
    text = "\n".join(line for line in dockerfile.splitlines() if not line.startswith("#"))
    lines = text.replace("\\\n", " ").splitlines()
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines if line.strip()]


@pytest.fixture
def pod() -> dict[str, Any]:
    [deployment] = documents("deployment.yaml")
    spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return spec


def test_the_container_may_do_nothing_but_answer(pod: dict[str, Any]) -> None:
    [container] = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    rights = container["securityContext"]
    assert rights["readOnlyRootFilesystem"] and not rights["allowPrivilegeEscalation"]
    assert rights["capabilities"] == {"drop": ["ALL"]}
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    scratch = next(volume for volume in pod["volumes"] if volume["name"] == mounts["/tmp"]["name"])
    assert "sizeLimit" in scratch["emptyDir"]


def test_tokens_come_from_a_mounted_secret_that_the_server_reads(
    pod: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    [container] = pod["containers"]
    [variable] = container["env"]
    mount = next(one for one in container["volumeMounts"] if one["name"] == "tokens")
    assert mount["readOnly"] and variable["value"].startswith(mount["mountPath"] + "/")
    volume = next(one for one in pod["volumes"] if one["name"] == "tokens")
    assert volume["secret"] == {"secretName": "table-row-tokens"}  # and not optional: no tokens, no pod
    assert variable["name"] == "KERASMITH_TOKENS_FILE"
    from serving.guarding.tokens import FILE

    assert variable["name"] == FILE and ServeOptions().tokens_file is None


def test_probes_ask_routes_that_need_no_token(pod: dict[str, Any]) -> None:
    [container] = pod["containers"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        found = find(container[probe]["httpGet"]["path"])
        assert found is not None and found[0].open and found[0].method == "GET"
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    start = container["startupProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] >= 120


def test_the_patience_is_longer_than_the_drain(pod: dict[str, Any]) -> None:
    [container] = pod["containers"]
    before = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > before + DRAIN_SECONDS + 5  # 5: the supervisor's own


def test_memory_is_what_was_measured_and_room_for_bodies(pod: dict[str, Any]) -> None:
    [container] = pod["containers"]
    limits = {sort: container["resources"][sort]["memory"] for sort in ("requests", "limits")}
    assert limits == {"requests": "130Mi", "limits": "642Mi"}
    assert Limits().max_held_bytes <= 2 * 2**28


def test_manifests_belong_together() -> None:
    [deployment], [service] = documents("deployment.yaml"), documents("service.yaml")
    budget, policy = documents("policies.yaml")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["metadata"]["name"] == service["metadata"]["name"] == "table-row"  # no underscore
    assert deployment["spec"]["selector"]["matchLabels"] == labels == service["spec"]["selector"]
    assert budget["spec"]["selector"]["matchLabels"] == policy["spec"]["podSelector"]["matchLabels"] == labels
    assert policy["spec"]["egress"] == [] and "Egress" in policy["spec"]["policyTypes"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    [port] = container["ports"]
    assert service["spec"]["ports"][0]["targetPort"] == port["name"] == "http"
    assert policy["spec"]["ingress"][0]["ports"][0]["port"] == port["containerPort"]
    assert container["image"] == "table_row:3-ab"


def test_the_dockerfile_names_one_image_and_no_address() -> None:
    steps = instructions(FILES["Dockerfile"])
    images = [rest.split()[0] for step, rest in steps if step == "FROM"]
    assert len(set(images)) == 1 and images[0].startswith("python:3.") and images[0].endswith("-slim")
    assert all("://" not in text for text in FILES.values())


def test_the_container_does_not_run_as_root_and_writes_to_tmp_alone() -> None:
    steps = instructions(FILES["Dockerfile"])
    after_user = [step for step, _ in steps[[step for step, _ in steps].index("USER") :]]
    assert "RUN" not in after_user and "COPY" not in after_user
    told = dict(steps)
    assert told["USER"].split(":")[0].isdigit() and int(told["USER"].split(":")[0]) > 0
    assert told["WORKDIR"] == "/tmp"
    environment = dict(pair.split("=", 1) for pair in shlex.split(told["ENV"]))
    assert environment["BENTOML_HOME"].startswith("/tmp/") and environment["BENTOML_DO_NOT_TRACK"] == "True"
    command = json.loads(told["CMD"])
    assert command[command.index("-m") + 1] == "serving.launch"
    assert command[command.index("--port") + 1] == told["EXPOSE"]


def test_hashes_are_required_where_there_are_some() -> None:
    assert "--require-hashes" in FILES["Dockerfile"]
    without = manifests(Deployed(name="x", version="1", measured_bytes=1, body_bytes=1, hashes=False))
    assert "--require-hashes" not in without["Dockerfile"]
