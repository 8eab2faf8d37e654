"""A filesystem of its own: ext4 in an image, mounted by loop. It can lose its power, as a machine
does: what was synced stays, the rest goes.

Mounts live in a mount namespace of the test, so that they end with it whatever happens."""

import ctypes
import fcntl
import os
import struct
import subprocess

from support.story import Skip, expect

CLONE_NEWNS = 0x00020000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
EXT4_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
NO_LOG_FLUSH = 2

_libc = ctypes.CDLL(None, use_errno=True)
_has_namespace = False


def _enter_namespace():
    global _has_namespace
    if _has_namespace:
        return
    if os.geteuid() != 0 or _libc.unshare(CLONE_NEWNS) != 0:
        raise Skip("mounting needs root")
    if _libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        raise Skip("mounts cannot be made private: " + os.strerror(ctypes.get_errno()))
    _has_namespace = True


class Disk:
    def __init__(self, story, megabytes):
        self.path = story.directory / f"mount-{len(story._ends)}"
        self.image = self.path.with_suffix(".img")
        self.is_mounted = False
        _enter_namespace()
        self.path.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(megabytes << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=0",
                        str(self.image)], check=True)
        self.mount()

    def mount(self):
        done = subprocess.run(["mount", "-o", "loop", str(self.image), str(self.path)],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise Skip("loop mounts are not permitted: " + done.stderr.strip())
        self.is_mounted = True

    def unmount(self):
        subprocess.run(["umount", str(self.path)], check=True)
        self.is_mounted = False

    def cut_power(self):
        """Nothing more reaches the image, not even the filesystem's journal."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def restore_power(self):
        """Mounted again, which replays its journal. No process may have it open."""
        self.unmount()
        self.mount()

    def free_bytes(self):
        stat = os.statvfs(self.path)
        return stat.f_bavail * stat.f_frsize

    def fill(self, name="foreign", leave_bytes=0):
        """Somebody else's file takes the room; returns its path."""
        path = self.path / name
        with open(path, "ab") as file:
            size = max(0, self.free_bytes() - leave_bytes)
            try:
                while size > 0:
                    step = min(size, 1 << 20)
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, step)
                    size -= step
            except OSError:
                pass  # full
        expect(path.exists())
        return path

    def end(self):
        if self.is_mounted:
            subprocess.run(["umount", "-l", str(self.path)], check=False)
            self.is_mounted = False
