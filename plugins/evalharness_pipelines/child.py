"""A program that runs beside the harness: lines go in, lines come out, and what it says on stderr is remembered."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Sequence

GRACE = 5.0  # seconds that a program has to end after its input has, and again after it was told to
WORDS_KEPT = 8  # lines of stderr
WORD_BYTES = 500
# A Python program would keep its lines back in a buffer, since it writes to no terminal.
SETTINGS = {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}


class Child:
    """A running program. `lines` gives what it writes, line by line, and None when it will write no more.

    Raises OSError where it cannot be started. Reading, writing and listening have a thread each, so that neither a full
    pipe nor a program that does not read can hold up who asks.
    """

    def __init__(self, run: Sequence[str], folder: str) -> None:
        self.lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.last_words: deque[str] = deque(maxlen=WORDS_KEPT)
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        # A session of its own: Ctrl-C reaches the harness alone, which ends the program and whatever that started.
        self._process = subprocess.Popen(
            list(run),
            cwd=folder,
            env={**SETTINGS, **os.environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._write, self._read, self._listen)]
        for thread in self._threads:
            thread.start()

    def send(self, line: bytes) -> None:
        """Write a line to the program's input, as soon as it takes it."""
        self._outgoing.put(line)

    def end(self) -> str:
        """End the program: its input closes, then it is told to end, then it is killed; return how it ended."""
        self._outgoing.put(None)
        for told in (None, signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
            if told is not None:
                self._signal(told)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE)
                break
        return self._ended()

    def kill(self) -> str:
        """End the program at once; return how it ended."""
        self._outgoing.put(None)
        self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        self._process.wait()
        return self._ended()

    def _signal(self, told: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, told)
            else:
                self._process.send_signal(told)

    def _ended(self) -> str:
        """Let go of everything that belongs to the ended program; what it started and left behind goes too."""
        self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        for thread in self._threads:
            thread.join(GRACE)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):  # what was not written cannot be
                if stream is not None:
                    stream.close()
        code = self._process.returncode
        return f"exit code {code}" if code >= 0 else f"signal {-code} ({signal.Signals(-code).name})"

    def _write(self) -> None:
        stream = self._process.stdin
        with contextlib.suppress(OSError):  # the program has ended or reads no more; its end is seen by who reads
            while stream is not None and (line := self._outgoing.get()) is not None:
                stream.write(line)
                stream.flush()
        with contextlib.suppress(OSError):
            if stream is not None:
                stream.close()

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            for line in self._process.stdout or ():
                self.lines.put(line)
        self.lines.put(None)

    def _listen(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while self._process.stderr is not None and (piece := self._process.stderr.readline(WORD_BYTES)):
                words = piece.decode("utf-8", "replace").strip()
                if words:
                    self.last_words.append(words)
