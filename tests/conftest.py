"""What holds for every test."""

import os

from hypothesis import settings

# Machines that run tests are busy: how long an example takes says nothing. In CI the examples are the
# same each time, so that a change is blamed for what it breaks and not for what chance finds.
settings.register_profile("vmdiff", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("vmdiff")
