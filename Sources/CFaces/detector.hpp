// What faces.cpp and yunet.cpp share; no part of the C interface.
#pragma once
#include <opencv2/core.hpp>
#include <vector>

#include "faces.h"

struct dk_faces {
  virtual ~dk_faces() = default;
  // Faces in a picture within DK_FACES_SIDE; may throw.
  virtual std::vector<dk_face> find(const uint8_t* rgb, int width, int height, int smallest) = 0;
};

// A detector that runs a YuNet network; throws when the network is none.
dk_faces* make_yunet(const char* path, const uint8_t* model, size_t size);
