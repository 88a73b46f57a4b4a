// Our C: element-wise, normalisation and optimizer kernels, and the oneDNN shim. One header a family.
#pragma once
#include "dk_copy.h"
#include "dk_elementwise.h"
#include "dk_matrix.h"
#include "dk_parallel.h"
