"""A service manager in small: starts a server and keeps its listening sockets for the next one, as systemd does.

    service_manager.py store PROGRAM ARGUMENTS...           keeps what the server asks it to keep
    service_manager.py DNS REST PROGRAM ARGUMENTS...        has opened the sockets itself: two addresses HOST:PORT

SIGUSR1 stops the server, SIGUSR2 starts it again, SIGHUP goes on to it, SIGTERM stops it for good. Tells on standard error what happens, and
what the server tells.
"""
import array, ctypes, os, signal, socket, sys, tempfile, threading

kept = []  # (name, socket), each socket once


def keep(name, number):
    status = os.fstat(number)
    if any(os.fstat(other.fileno()).st_ino == status.st_ino for _, other in kept):
        os.close(number)
    else:
        kept.append((name, socket.socket(fileno=number)))


def tell(text):
    os.write(2, f"manager: {text}\n".encode())


def listen(kind, address):
    host, port = address.rsplit(":", 1)
    opened = socket.socket(socket.AF_INET, kind)
    if kind == socket.SOCK_STREAM:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind((host, int(port)))
    if kind == socket.SOCK_STREAM:
        opened.listen(128)
    return opened


if sys.argv[1] == "store":
    command = sys.argv[2:]
    folder = tempfile.mkdtemp()
    path = os.path.join(folder, "notify")
    notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notifications.bind(path)
    environment = {"NOTIFY_SOCKET": path, "FDSTORE": "64", "WATCHDOG_USEC": "400000"}
else:
    command = sys.argv[3:]
    notifications = None
    environment = {}
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        kept.append(("dns", listen(kind, sys.argv[1])))
    kept.append(("rest", listen(socket.SOCK_STREAM, sys.argv[2])))


def hear():
    number = array.array("i")
    while True:
        text, ancillary, _, _ = notifications.recvmsg(4096, socket.CMSG_SPACE(64 * number.itemsize))
        descriptors = array.array("i")
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors.frombytes(data[: len(data) - len(data) % number.itemsize])
        fields = dict(line.split("=", 1) for line in text.decode().splitlines())
        if "FDSTOREREMOVE" in fields:
            for name, one in kept:
                if name == fields["FDNAME"]:
                    one.close()
            kept[:] = [(name, one) for name, one in kept if name != fields["FDNAME"]]
        for descriptor in descriptors:
            if "FDSTORE" in fields:
                keep(fields["FDNAME"], descriptor)
            else:
                os.close(descriptor)
        tell(f"told {' '.join(fields)}")


def start():
    child = os.fork()
    if child:
        tell(f"started with {len(kept)} sockets")
        return child
    variables = dict(os.environ, **environment)
    if kept:
        variables["LISTEN_FDS"] = str(len(kept))
        variables["LISTEN_PID"] = str(os.getpid())
        variables["LISTEN_FDNAMES"] = ":".join(name for name, _ in kept)
        # Out of the way first.
        copies = [os.dup(one.fileno()) for _, one in kept]
        high = [os.dup2(number, 500 + index) for index, number in enumerate(copies)]
        for index, number in enumerate(high):
            os.dup2(number, 3 + index, inheritable=True)
        os.closerange(3 + len(high), 1000)
    # It ends with this process: PR_SET_PDEATHSIG.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.execve(command[0], command, variables)


signals = {signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGTERM}
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
if notifications:
    threading.Thread(target=hear, daemon=True).start()
child = start()
while True:
    order = signal.sigwait(signals)
    if order == signal.SIGUSR2:
        child = start()
        continue
    if order == signal.SIGHUP:
        os.kill(child, signal.SIGHUP)
        continue
    os.kill(child, signal.SIGTERM)
    _, status = os.waitpid(child, 0)
    tell(f"stopped with {os.waitstatus_to_exitcode(status)}")
    if order == signal.SIGTERM:
        if notifications:
            os.unlink(path)
            os.rmdir(folder)
        sys.exit(0)
