"""Fixtures of preparing."""

from tests.pipelines.preparing.forecasts import prepare as prepare
