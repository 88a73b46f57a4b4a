#pragma once
#include <sys/eventfd.h>  // wakes a thread that waits in zmq_poll
#include <zmq.h>
