"""CPU, memory, disk, network and GPU while a run goes on, as MLflow measures them."""

import threading
from collections.abc import Callable
from contextlib import suppress

PREFIX = "system/"


class Sampler:
    """A thread that looks at the machine every so often."""

    def __init__(self, every: float, tell: Callable[[dict[str, float], int], None]) -> None:
        """Begins at once.

        Args:
          every: seconds between two looks.
          tell: called with metrics by name, and their step, from 0.
        """
        self._every, self._tell = every, tell
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="system-metrics", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Ends it."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        # Not at the top: MLflow takes a second to import, which the run need not wait for.
        from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
        from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
        from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
        from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

        monitors = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
        with suppress(Exception):  # MLflow's word for: there is no GPU
            monitors.append(GPUMonitor())
        step = 0
        while not self._stop.wait(self._every):
            found: dict[str, float] = {}
            for monitor in monitors:
                monitor.collect_metrics()
                found |= monitor.aggregate_metrics()
                monitor.clear_metrics()
            self._tell({PREFIX + name: float(value) for name, value in found.items()}, step)
            step += 1
