// CFaces: face detection by OpenCV behind a C interface. OpenCV's headers are seen by faces.cpp and yunet.cpp alone; no
// exception leaves them, every size is bounded before it is used, and OpenCV computes on the calling thread.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Largest picture that is searched, in pixels of a side, and most faces that one picture gives.
enum { DK_FACES_SIDE = 4096, DK_FACES_MOST = 256 };

// A face, in pixels of the picture that was searched.
typedef struct {
  float x, y, width, height;
  float score;
  // Right eye, left eye, tip of the nose, right and left corner of the mouth, as x and y; right is the face's own right,
  // which lies on the left of the picture. The first 2 * `known` numbers are set.
  float points[10];
  int known;  // 0, 2 (eyes) or 5
} dk_face;

// A detector. It belongs to one thread at a time.
typedef struct dk_faces dk_faces;

// Viola-Jones cascades: files for frontal faces, profiles, and eyes within a face.
// Gives NULL, and a sentence in `error`, when one of them cannot be read.
dk_faces *dk_faces_cascades(const char *frontal, const char *profile, const char *eyes, char *error, size_t error_size);

// A YuNet network in an ONNX file of `model_size` bytes in memory; of 2021 and 2022 (outputs loc, conf, iou), which
// FaceDetectorYN of OpenCV 4.5.4 to 4.7 runs from `path`, or of 2023 (outputs cls_8 to kps_32).
dk_faces *dk_faces_yunet(const char *path, const uint8_t *model, size_t model_size, char *error, size_t error_size);

void dk_faces_free(dk_faces *detector);

// Finds faces whose side has at least `smallest` pixels in `rgb [height, width, 3]`: best first, DK_FACES_MOST at most,
// as many as `capacity` are written. Gives their number; -1, and a sentence in `error`, when OpenCV fails.
int dk_faces_find(dk_faces *detector, const uint8_t *rgb, int width, int height, int smallest, dk_face *found,
                  int capacity, char *error, size_t error_size);

// The version of OpenCV that is loaded, e.g. "4.6.0".
const char *dk_faces_version(void);

#ifdef __cplusplus
}
#endif
