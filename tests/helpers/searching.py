"""How long hypothesis searches: briefly, and ten times as long with --all."""

import os

from hypothesis import HealthCheck, settings


def examples(count: int) -> settings:
    return settings(
        deadline=None,
        max_examples=count * (10 if os.environ.get("TFDFM_TEST_ALL") else 1),
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
