// Coordination: job graph, leases, membership as pure state machines: no I/O, no clock, no Tensor.
