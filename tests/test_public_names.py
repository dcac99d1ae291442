"""The names that users may rely on: adding or removing one is a decision, not an accident."""

import cloudburst
from cloudburst import errors

NAMES = {
    "Deferred", "Run", "Stage", "compute", "defer", "image", "init_aws", "init_docker", "init_local", "pandas",
    "resume", "stage", "using",
}  # fmt: skip


def test_public_names_are_these_and_no_others():
    raised = {
        name for name, value in vars(errors).items() if isinstance(value, type) and value.__module__ == errors.__name__
    }
    assert set(cloudburst.__all__) == NAMES | raised | {"__version__"}
    assert all(hasattr(cloudburst, name) for name in cloudburst.__all__)
