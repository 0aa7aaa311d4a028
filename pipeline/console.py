"""What a person sees of a run: a line per node, a bar while training, and the end."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

from pipeline.record import NodeRun
from trainer import progress as training

# How LocalDagRunner announces a node; the runner offers no other hook.
_STARTED, _FINISHED = "Component %s is running.", "Component %s is finished."


NODE_WIDTH = 24  # characters; more where a name is longer


class NodeLines(logging.Handler):
    """Prints a line as each node ends, and shows the running one.

    A logging handler, for LocalDagRunner announces its nodes nowhere but in its log.
    """

    def __init__(
        self,
        console: Console,
        look: Callable[[str], NodeRun | None],
        nodes: Iterable[str],
        tell: Callable[[str, NodeRun | None], None],
    ) -> None:
        """Listens to nothing yet.

        Args:
          console: to print on.
          look: finds the newest execution of a node.
          nodes: the names to make room for.
          tell: called with every node that ended, and that execution.
        """
        super().__init__()
        self._tell = tell
        self._width = max(NODE_WIDTH, *map(len, nodes))
        self._console, self._look = console, look
        self._started = 0.0
        self.running: str | None = None
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", table_column=Column(no_wrap=False)),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Listens to the runner's log and to the trainer inside the block."""
        logger = logging.getLogger("absl")
        logger.addHandler(self)
        try:
            with self._bar, training.listening(self._trained):
                yield
        finally:
            logger.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Called with every line of the log; the two announcements matter."""
        if isinstance(record.args, tuple) and record.msg in (_STARTED, _FINISHED):
            (self._start if record.msg == _STARTED else self.finish)(str(record.args[0]))

    def finish(self, node: str) -> None:
        """Prints the line of a node that ended, well or badly."""
        run, seconds = self._look(node), time.monotonic() - self._started
        self._console.print(_node_line(node.ljust(self._width), run, seconds), soft_wrap=True)
        self.running = None
        self._clear()
        self._tell(node, run)

    def _start(self, node: str) -> None:
        self.running, self._started = node, time.monotonic()
        self._clear()
        self._bar.add_task(node, total=None, note="")

    def _clear(self) -> None:
        for task in self._bar.task_ids:
            self._bar.remove_task(task)

    def _trained(self, news: training.Progress) -> None:
        shown = {} if news.search else news.figures  # where the best trial's are
        figures = "  ".join(f"{name} {value:.3f}" for name, value in shown.items())
        for task in self._bar.task_ids:
            self._bar.update(
                task,
                description=_told(_title(self.running or news.model, news.role), news.search),
                total=news.epochs * news.steps,
                completed=news.epoch * news.steps + news.step,
                note=f"epoch {min(news.epoch + 1, news.epochs)}/{news.epochs}  {figures}".rstrip(),
            )


def _title(node: str, role: str) -> str:
    return f"{node}, {role}" if role else node


def _told(node: str, search: training.Search | None) -> str:
    """What is running and, when it is a search, where that stands."""
    if search is None:
        return node
    minutes = f"{search.seconds / 60:.0f} of {search.max_seconds / 60:g} min"
    best = f"\nbest {search.best}" if search.best else ""
    return f"{node}: trial {search.trial} of {search.trials}, {minutes}{best}"


def _node_line(node: str, run: NodeRun | None, seconds: float) -> str:
    if run is None:
        return f"[red]✗[/] {node} did not start"
    if run.state == "CACHED":
        return f"[dim]= {node} reused[/]"
    if run.succeeded:
        return f"[green]✓[/] {node} {seconds:6.1f} s  [dim]{run.reason}[/]"
    return f"[red]✗[/] {node} {seconds:6.1f} s  [red]{run.state.lower()}[/]"
