// Our C: element-wise, normalisation and optimizer kernels, and the oneDNN shim. One header a family.
#pragma once
#include "dk_batchnorm.h"
#include "dk_convolution.h"
#include "dk_copy.h"
#include "dk_elementwise.h"
#include "dk_matrix.h"
#include "dk_parallel.h"
#include "dk_pooling.h"
#include "dk_resample.h"
