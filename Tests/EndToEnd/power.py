"""Real power cuts: an ext4 file system on an image, whose power goes by the file system's own shutdown ioctl, with everything that was not synced.

    disk = PowerDisk(t, options="data=writeback")
    run = t.start_run(prefix=disk.boot())
    disk.cut(run)                          # the power goes: the process with it, and what the disk didn't have yet
    run = t.start_run(prefix=disk.boot())  # another boot

Needs root, a loop device and mkfs.ext4; a test fails with what is missing.
"""

import fcntl
import os
import signal
import struct
import subprocess
import time
import uuid

from harness import Failure

# EXT4_IOC_SHUTDOWN, with EXT4_GOING_FLAGS_NOLOGFLUSH: neither data nor journal are written any more.
_SHUTDOWN = 0x8004587D
_NO_LOG_FLUSH = 2


class PowerDisk:
    """A file system of its own, mounted at `name` in the test's directory."""

    def __init__(self, t, name="disk", size=128, options=""):
        self.t = t
        self.options = options
        self.cuts = 0
        self.root = t.path(name)
        os.mkdir(self.root)
        if os.geteuid() != 0:
            raise Failure("power cuts need root: for a loop device, a mount and the shutdown ioctl")
        image = t.path(f"{name}.img")
        with open(image, "wb") as file:
            file.truncate(size << 20)
        # Initialised at once: no kernel thread goes on with it after the mount.
        t.call(t.program("mkfs.ext4"), "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", image)
        try:
            self.device = t.call(t.program("losetup"), "-f", "--show", image).decode().strip()
        except Failure as failure:
            raise Failure(f"power cuts need a free loop device (/dev/loop*): {failure}") from None
        t.later(lambda: t.call("losetup", "-d", self.device))
        t.later(lambda: self._mounted and t.call("umount", "-l", self.root))
        self._mounted = False
        self._mount()

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def boot(self):
        """A command's prefix: it sees the boot id of this boot, as it would after a real power cut."""
        identity = self.t.write(f"boot-id-{self.cuts}", f"{uuid.UUID(int=self.t.random.getrandbits(128), version=4)}\n")
        return (self.t.program("unshare"), "-m", "sh", "-c", f'mount --bind "{identity}" /proc/sys/kernel/random/boot_id && exec "$@"', "sh")

    def shut(self):
        """The power goes. What the page cache has is gone; programs that still run get errors."""
        directory = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(directory, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        except OSError as error:
            raise Failure(f"power cuts need ext4's shutdown ioctl: {error}") from None
        finally:
            os.close(directory)

    def come_back(self):
        """The next boot: the journal is replayed. Everything that had files open must have ended or closed them."""
        self._unmount()
        # A superblock that lives on would be mounted again as it is: without power.
        name = os.path.basename(self.device)
        self.t.until("the file system to be gone", lambda: not os.path.exists(f"/sys/fs/ext4/{name}"))
        self.cuts += 1
        self._mount()

    def cut(self, *processes, stopped=False):
        """A power cut. `stopped`: the processes stand still before it, else they see the disk fail for a moment."""
        if stopped:
            for one in processes:
                one.signal(signal.SIGSTOP)
        self.shut()
        if not stopped:
            time.sleep(self.t.random.choice((0, 0.002, 0.03)))
        for one in processes:
            one.kill()
        self.come_back()

    def _mount(self):
        command = [self.t.program("mount"), "-t", "ext4", *(["-o", self.options] if self.options else []), self.device, self.root]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"power cuts need to mount an ext4 image: {' '.join(command)}: {done.stderr.strip()}")
        self._mounted = True

    def _unmount(self):
        def try_it():
            done = subprocess.run(["umount", self.root], capture_output=True, text=True)
            if done.returncode != 0 and "busy" not in done.stderr:
                raise Failure(f"umount {self.root}: {done.stderr.strip()}")
            return done.returncode == 0

        if self._mounted:
            self.t.until("the file system to be unused", try_it)
            self._mounted = False
