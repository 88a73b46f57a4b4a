// Transport: the reactor thread that owns the ZeroMQ sockets.
