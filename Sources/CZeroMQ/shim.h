#pragma once
#include <malloc.h>       // keeps the memory that messages arrive in
#include <sys/eventfd.h>  // wakes a thread that waits in zmq_poll
#include <zmq.h>
