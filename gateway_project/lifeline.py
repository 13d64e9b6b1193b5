"""Children that do not outlive their parent: a pipe between them ends when the parent does.

The parent keeps one end and never writes to it. The child runs `python -m gateway_project.lifeline 7 45
serve --only web`: a management command, under the watch of a thread that reads the other end, descriptor 7.
However the parent dies, `kill -9` included, the pipe ends. The command is then asked to end, and is ended if
it has not done so within 45 seconds.
"""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread, Timer

from django.core.management import execute_from_command_line

from gateway_project.supervisor import PATIENCE, Child


class Lifeline:
    """The parent's end."""

    def __init__(self, folder: Path) -> None:
        self._held, self._kept = os.pipe()
        self._folder = str(folder)

    def child(
        self, name: str, arguments: Sequence[str], environment: Mapping[str, str], *descriptors: int
    ) -> Child:
        """A management command that ends when this process does."""
        path = os.pathsep.join(filter(None, (self._folder, os.environ.get("PYTHONPATH", ""))))
        held = ("-m", "gateway_project.lifeline", str(self._held), str(PATIENCE))
        return Child(
            name,
            (sys.executable, *held, *arguments),
            environment={**os.environ, "PYTHONPATH": path, **environment},
            descriptors=(self._held, *descriptors),
        )


def main(arguments: Sequence[str]) -> None:
    """Run a command with the child's end in hand."""
    descriptor, patience, *command = arguments
    Thread(target=_end_with_parent, args=(int(descriptor), float(patience)), daemon=True).start()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")
    execute_from_command_line(["manage.py", *command])


def _end_with_parent(descriptor: int, patience: float) -> None:
    os.read(descriptor, 1)
    # A daemon like the thread that starts it: the end of the process calls it off, and nothing else.
    Timer(patience, os.kill, (os.getpid(), signal.SIGKILL)).start()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1:])
