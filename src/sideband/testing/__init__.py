"""What tests of handlers and components stand on. May import every layer below; no layer imports it."""

from sideband.testing._lifecycle import LifecycleError, check_lifecycle, violations
from sideband.testing._recorder import Record, Recorder

__all__ = ["LifecycleError", "Record", "Recorder", "check_lifecycle", "violations"]
