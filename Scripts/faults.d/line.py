#!/usr/bin/env python3
"""A line between workers and a coordinator that an enemy holds: passes bytes on until SIGUSR1, then for five seconds
repeats, changes and reorders what passes, and cuts connections.  line.py LISTEN-PORT COORDINATOR-PORT"""
import random
import signal
import socket
import sys
import threading
import time

listen_port, port = int(sys.argv[1]), int(sys.argv[2])
until = 0.0
chance = random.Random(5)


def attack(*_):
    global until
    until = time.monotonic() + 5


signal.signal(signal.SIGUSR1, attack)


def carry(source, target):
    held = b""
    try:
        while data := source.recv(1 << 16):
            if time.monotonic() < until:
                what = chance.randrange(5)
                if what == 0:
                    data += data  # said twice
                elif what == 1 and len(data) > 1:
                    at = chance.randrange(len(data))
                    data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
                elif what == 2:
                    held, data = data, held  # one after the other, the wrong way round
                elif what == 3:
                    time.sleep(0.5)
                else:
                    return
            target.sendall(data)
    except OSError:
        pass
    finally:
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


door = socket.create_server(("127.0.0.1", listen_port))
while True:
    try:
        caller, _ = door.accept()
    except InterruptedError:
        continue
    try:
        other = socket.create_connection(("127.0.0.1", port), timeout=5)
        other.settimeout(None)
    except OSError:
        caller.close()
        continue
    for pair in ((caller, other), (other, caller)):
        threading.Thread(target=carry, args=pair, daemon=True).start()
