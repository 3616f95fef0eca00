"""What a served virtual board offers besides the services of a real one: its simulated time.

`Elapse` takes nanoseconds of board time to let pass (0: none) and returns board time in
nanoseconds, both as `google.protobuf.UInt64Value`. A real board does not know the service and
answers UNIMPLEMENTED; that is how a client tells one from the other.
"""

from __future__ import annotations

from typing import Final

SERVICE: Final = "harness.VirtualTime"
METHOD: Final = "Elapse"
PATH: Final = f"/{SERVICE}/{METHOD}"
