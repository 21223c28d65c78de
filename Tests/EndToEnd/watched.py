"""A program whose terminal is watched."""

from fcntl import ioctl
import os
import pty
import struct
import subprocess
import termios
import threading


class Watched:
    """A program with a terminal of `columns` and 30 rows for standard error, and for standard output unless that goes elsewhere."""

    def __init__(self, t, *command, columns=100, term="xterm", stdout=None, env=None):
        self._master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        self._seen = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.process = subprocess.Popen(
            command, cwd=t.directory, stdin=subprocess.DEVNULL, stdout=slave if stdout is None else stdout, stderr=slave, env=(env or os.environ) | {"TERM": term})
        os.close(slave)
        t.later(self.process.kill)

    def _read(self):
        try:
            while part := os.read(self._master, 1 << 16):
                self._seen.extend(part)
        except OSError:
            pass  # EIO: nobody has the other end any more

    @property
    def seen(self):
        """All that it showed."""
        return bytes(self._seen)

    def end(self, number=None, seconds=15):
        """Sends a signal if one is given, waits for the program's end, and gives its exit code and standard output."""
        if number is not None:
            self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=seconds)
        self._reader.join(10)
        os.close(self._master)
        return self.process.returncode, output
