"""bench_hub.py KUBEWRIGHT: runs validate and plan, the latter on terminals of two sizes, and prints time, memory, and
how often the view was drawn."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

KUBEWRIGHT = sys.argv[1]
FRAME = re.compile(rb"\x1b\[\d*[AKJ]|\x1b\[2K")


def finish(pid, begin):
    """Seconds, MiB and exit code of a child."""
    _, status, usage = os.wait4(pid, 0)
    return time.monotonic() - begin, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status)


def plain(*words):
    begin = time.monotonic()
    child = subprocess.Popen([KUBEWRIGHT, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return finish(child.pid, begin)


def terminal(columns, rows, *words):
    """The same on a terminal; also the times at which something was drawn."""
    begin = time.monotonic()
    pid, screen = pty.fork()
    if pid == 0:
        sink = os.open("/dev/null", os.O_WRONLY)
        os.dup2(sink, 1)
        os.execv(KUBEWRIGHT, [KUBEWRIGHT, *words])
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    drawn = []
    while True:
        try:
            select.select([screen], [], [])
            chunk = os.read(screen, 1 << 20)
        except OSError:
            break
        if not chunk:
            break
        if FRAME.search(chunk):
            drawn.append(time.monotonic())
    return (*finish(pid, begin), drawn)


def line(name, seconds, memory, code, more=""):
    print(f"{name:<22} {seconds:7.2f} s {memory:7.0f} MiB  exit {code}  {more}", flush=True)


line("validate", *plain("validate"))
line("plan", *plain("plan"))
for columns, rows in ((80, 24), (200, 50)):
    *figures, drawn = terminal(columns, rows, "plan")
    gaps = sorted(later - earlier for earlier, later in zip(drawn, drawn[1:]))
    if gaps:
        middle, worst = gaps[len(gaps) // 2] * 1000, gaps[-1] * 1000
        line(f"plan at {columns}x{rows}", *figures, f"{len(drawn)} frames, {middle:.0f} ms apart, at most {worst:.0f} ms")
    else:
        line(f"plan at {columns}x{rows}", *figures, "nothing was drawn")
