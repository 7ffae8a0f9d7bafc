"""What runs a Bento in a container: a Dockerfile and Kubernetes manifests, as text."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from string import Template

PORT = 3000
USER = 10001
DRAIN_SECONDS = 20
STOP_SECONDS = 45
"""Kubernetes' patience: more than the drain, and the seconds before it in which balancers forget the pod."""
TOKENS = "/run/secrets/kerasmith"
MEBIBYTE = 2**20

DOCKERFILE = Template("""\
# Build it in the folder of the Bento:  docker build -f deploy/Dockerfile -t $image .
FROM python:$python-slim AS packages
COPY env/python/requirements.txt /tmp/requirements.txt
RUN python -m venv /opt/server \\
    && /opt/server/bin/pip install --no-cache-dir --only-binary :all: $hashes-r /tmp/requirements.txt

FROM python:$python-slim
RUN groupadd --gid $user server && useradd --uid $user --gid $user --no-create-home --shell /usr/sbin/nologin server
COPY --from=packages /opt/server /opt/server
COPY bento.yaml README.md /srv/bento/
COPY apis /srv/bento/apis
COPY src /srv/bento/src
# The file system is read-only when it runs: what Python would write beside the code is written now.
RUN /opt/server/bin/python -m compileall -q /srv/bento/src
ENV PATH=/opt/server/bin:$$PATH \\
    PYTHONPATH=/srv/bento/src \\
    PYTHONUNBUFFERED=1 \\
    PYTHONDONTWRITEBYTECODE=1 \\
    BENTOML_HOME=/tmp/bentoml \\
    BENTOML_DO_NOT_TRACK=True \\
    OMP_NUM_THREADS=1 \\
    OPENBLAS_NUM_THREADS=1 \\
    MALLOC_ARENA_MAX=2
USER $user:$user
# The only folder that the server writes to: counts of requests, and the supervisor's sockets.
WORKDIR /tmp
EXPOSE $port
CMD ["python", "-P", "-m", "serving.launch", "--host", "0.0.0.0", "--port", "$port", "--drain-seconds", "$drain"]
""")

DEPLOYMENT = Template("""\
# Needs the image $image, and the tokens that clients send, one in each line of a file:
#   kubectl create secret generic $name-tokens --from-file=tokens=FILE
apiVersion: apps/v1
kind: Deployment
metadata:
  name: $name
  labels: {app: $name}
spec:
  replicas: 2
  selector:
    matchLabels: {app: $name}
  strategy:
    rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
  template:
    metadata:
      labels: {app: $name}
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: $stop
      securityContext:
        runAsNonRoot: true
        runAsUser: $user
        runAsGroup: $user
        fsGroup: $user
        seccompProfile: {type: RuntimeDefault}
      containers:
        - name: server
          image: $image
          ports:
            - {name: http, containerPort: $port}
          env:
            - {name: KERASMITH_TOKENS_FILE, value: $tokens/tokens}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          resources:
            # A server took $measured MiB when the Bento was built; the rest is for the bodies of requests.
            requests: {cpu: 500m, memory: ${request}Mi}
            limits: {cpu: "2", memory: ${limit}Mi}
          startupProbe:
            httpGet: {path: /readyz, port: http}
            periodSeconds: 2
            failureThreshold: 60
          readinessProbe:
            httpGet: {path: /readyz, port: http}
            periodSeconds: 5
            timeoutSeconds: 2
          livenessProbe:
            httpGet: {path: /livez, port: http}
            periodSeconds: 10
            timeoutSeconds: 5
          lifecycle:
            preStop:
              # Balancers still send requests for some seconds; then the server drains.
              exec: {command: [sleep, "5"]}
          volumeMounts:
            - {name: scratch, mountPath: /tmp}
            - {name: tokens, mountPath: $tokens, readOnly: true}
      volumes:
        - name: scratch
          emptyDir: {sizeLimit: 256Mi}
        - name: tokens
          secret: {secretName: $name-tokens}
""")

SERVICE = Template("""\
apiVersion: v1
kind: Service
metadata:
  name: $name
  labels: {app: $name}
spec:
  selector: {app: $name}
  ports:
    - {name: http, port: 80, targetPort: http}
""")

POLICIES = Template("""\
# One pod at a time when nodes are emptied.
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: $name
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {app: $name}
---
# The server asks nobody for anything, so it may reach nobody.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: $name
spec:
  podSelector:
    matchLabels: {app: $name}
  policyTypes: [Ingress, Egress]
  ingress:
    - ports:
        - {port: $port, protocol: TCP}
  egress: []
""")

FILES = {
    "Dockerfile": DOCKERFILE,
    "deployment.yaml": DEPLOYMENT,
    "service.yaml": SERVICE,
    "policies.yaml": POLICIES,
}


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """What the manifests are about."""

    name: str
    """Of the model."""
    version: str
    """Of the Bento."""
    measured_bytes: int
    """Memory of a server that has answered the sample."""
    body_bytes: int
    """That requests may take beside it."""
    hashes: bool
    """Whether the requirements have them."""


def manifests(deployed: Deployed) -> dict[str, str]:
    """The files' texts by name."""
    name = deployed.name.replace("_", "-")  # Kubernetes takes no underscores
    measured = math.ceil(deployed.measured_bytes / MEBIBYTE)
    values = {
        "name": name,
        "image": f"{deployed.name}:{deployed.version}",
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "hashes": "--require-hashes " if deployed.hashes else "",
        "user": USER,
        "port": PORT,
        "drain": DRAIN_SECONDS,
        "stop": STOP_SECONDS,
        "tokens": TOKENS,
        "measured": measured,
        "request": measured,
        # pictures are decoded to several times their bytes
        "limit": measured + math.ceil(2 * deployed.body_bytes / MEBIBYTE),
    }
    return {file: template.substitute(values) for file, template in FILES.items()}
