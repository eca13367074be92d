"""What tests of handlers, components and streams stand on. May import every layer below; no layer imports it."""

from sideband.testing._check_stream import StreamFactory, check_stream, check_stream_sync
from sideband.testing._lifecycle import LifecycleError, check_lifecycle, violations
from sideband.testing._recorder import Record, Recorder
from sideband.testing._virtual_loop import DeadlockError, VirtualLoop, run_virtual

__all__ = [
    "DeadlockError",
    "LifecycleError",
    "Record",
    "Recorder",
    "StreamFactory",
    "VirtualLoop",
    "check_lifecycle",
    "check_stream",
    "check_stream_sync",
    "run_virtual",
    "violations",
]
