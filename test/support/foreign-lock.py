"""foreign-lock.c in Python: foreign-lock.py FILE hold|try KIND:TYPE:FIRST:LENGTH..."""

import errno
import fcntl
import os
import signal
import struct
import sys

F_OFD_SETLK = 37


def lock(descriptor, kind, kind_of_lock, first, length):
    if kind == "record":
        wanted = fcntl.LOCK_EX if kind_of_lock == "write" else fcntl.LOCK_SH
        fcntl.lockf(descriptor, wanted | fcntl.LOCK_NB, length, first, os.SEEK_SET)
    else:
        wanted = fcntl.F_WRLCK if kind_of_lock == "write" else fcntl.F_RDLCK
        fcntl.fcntl(descriptor, F_OFD_SETLK, struct.pack("@hhqqi4x", wanted, os.SEEK_SET, first, length, 0))


descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o660)
for word in sys.argv[3:]:
    kind, kind_of_lock, first, length = word.split(":")
    try:
        lock(descriptor, kind, kind_of_lock, int(first), int(length))
        print("granted", flush=True)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        print("refused", flush=True)
if sys.argv[2] == "hold":
    print("holding", flush=True)
    while True:
        signal.pause()
