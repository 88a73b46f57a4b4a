// Detection by YuNet (Wu, Peng, Yu 2023, "YuNet: A Tiny Millisecond-level Face Detector"), a network in an ONNX file.
#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <opencv2/core.hpp>
#include <opencv2/dnn.hpp>
#include <opencv2/objdetect.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "detector.hpp"

namespace {

const float least_score = 0.7f, most_overlap = 0.3f;

// The picture as blue, green, red, on black whose sides are multiples of 64: then every grid of the network is whole.
cv::Mat padded(const uint8_t* rgb, int width, int height) {
  cv::Mat picture((height + 63) / 64 * 64, (width + 63) / 64 * 64, CV_8UC3, cv::Scalar(0, 0, 0));
  for (int y = 0; y < height; y++) {
    const uint8_t* from = rgb + size_t(y) * width * 3;
    uint8_t* to = picture.ptr<uint8_t>(y);
    for (int x = 0; x < width; x++)
      to[3 * x] = from[3 * x + 2], to[3 * x + 1] = from[3 * x + 1], to[3 * x + 2] = from[3 * x];
  }
  return picture;
}

bool is_sane(const dk_face& face) {
  for (float value : {face.x, face.y, face.width, face.height, face.score})
    if (!std::isfinite(value) || std::abs(value) > 1e5f) return false;
  for (float value : face.points)
    if (!std::isfinite(value) || std::abs(value) > 1e5f) return false;
  return face.width >= 1 && face.height >= 1;
}

double intersection_over_union(const dk_face& a, const dk_face& b) {
  double w = std::min(a.x + a.width, b.x + b.width) - std::max(a.x, b.x),
         h = std::min(a.y + a.height, b.y + b.height) - std::max(a.y, b.y);
  if (w <= 0 || h <= 0) return 0;
  return w * h / (double(a.width) * a.height + double(b.width) * b.height - w * h);
}

// The best first, without those over better ones.
std::vector<dk_face> best(std::vector<dk_face> faces, int smallest) {
  faces.erase(std::remove_if(
                  faces.begin(), faces.end(),
                  [=](const dk_face& face) { return !is_sane(face) || std::max(face.width, face.height) < smallest; }),
              faces.end());
  std::sort(faces.begin(), faces.end(), [](const dk_face& a, const dk_face& b) {
    return std::make_tuple(-a.score, -a.width * a.height, a.x, a.y) <
           std::make_tuple(-b.score, -b.width * b.height, b.x, b.y);
  });
  if (faces.size() > 2000) faces.resize(2000);
  std::vector<dk_face> kept;
  for (const auto& face : faces) {
    if (kept.size() == DK_FACES_MOST) break;
    bool covered = std::any_of(kept.begin(), kept.end(), [&](const dk_face& other) {
      return intersection_over_union(face, other) > most_overlap;
    });
    if (!covered) kept.push_back(face);
  }
  return kept;
}

// Networks of 2023: for each cell of three grids a score, a box and five points.
class YuNet : public dk_faces {
 public:
  explicit YuNet(cv::dnn::Net net) : net_(std::move(net)) {}

  std::vector<dk_face> find(const uint8_t* rgb, int width, int height, int smallest) override {
    cv::Mat picture = padded(rgb, width, height);
    net_.setInput(cv::dnn::blobFromImage(picture));
    std::vector<cv::Mat> out;
    net_.forward(out, names());
    std::vector<dk_face> faces;
    for (int scale = 0; scale < 3; scale++) {
      int stride = 8 << scale, columns = picture.cols / stride, rows = picture.rows / stride;
      size_t cells = size_t(columns) * rows;
      const float *cls = values(out[scale], cells), *object = values(out[3 + scale], cells);
      const float *boxes = values(out[6 + scale], cells * 4), *points = values(out[9 + scale], cells * 10);
      for (size_t cell = 0; cell < cells; cell++) {
        auto clamped = [](float x) { return std::min(1.0f, std::max(0.0f, x)); };
        dk_face face = {};
        face.score = std::sqrt(clamped(cls[cell]) * clamped(object[cell]));
        if (!(face.score >= least_score)) continue;
        float column = float(cell % columns), row = float(cell / columns);
        face.width = std::exp(boxes[4 * cell + 2]) * stride, face.height = std::exp(boxes[4 * cell + 3]) * stride;
        face.x = (column + boxes[4 * cell]) * stride - face.width / 2,
        face.y = (row + boxes[4 * cell + 1]) * stride - face.height / 2;
        for (int k = 0; k < 5; k++) {
          face.points[2 * k] = (column + points[10 * cell + 2 * k]) * stride;
          face.points[2 * k + 1] = (row + points[10 * cell + 2 * k + 1]) * stride;
        }
        face.known = 5;
        faces.push_back(face);
      }
    }
    return best(std::move(faces), smallest);
  }

  static const std::vector<std::string>& names() {
    static const std::vector<std::string> all = {"cls_8",  "cls_16",  "cls_32",  "obj_8", "obj_16", "obj_32",
                                                 "bbox_8", "bbox_16", "bbox_32", "kps_8", "kps_16", "kps_32"};
    return all;
  }

 private:
  static const float* values(const cv::Mat& blob, size_t count) {
    if (blob.type() != CV_32F || !blob.isContinuous() || blob.total() != count) {
      throw std::runtime_error(
          "the network's outputs have other sizes than YuNet's; use a file for pictures of any size, or of 640 by 640");
    }
    return blob.ptr<float>();
  }

  cv::dnn::Net net_;
};

// Networks of 2021 and 2022, which OpenCV 4.5.4 to 4.7 decodes. It believes the outputs to have the right sizes, so a
// network is tried on a black picture of each size first.
class FormerYuNet : public dk_faces {
 public:
  FormerYuNet(const char* path, cv::dnn::Net net)
      : net_(std::move(net)),
        detector_(cv::FaceDetectorYN::create(path, "", cv::Size(64, 64), least_score, most_overlap, 2000)) {
    if (detector_.empty()) throw std::runtime_error("OpenCV cannot run the network");
  }

  std::vector<dk_face> find(const uint8_t* rgb, int width, int height, int smallest) override {
    cv::Mat picture = padded(rgb, width, height);
    if (tried_.insert({picture.cols, picture.rows}).second) attempt(picture.size());
    detector_->setInputSize(picture.size());
    cv::Mat found;
    detector_->detect(picture, found);
    std::vector<dk_face> faces;
    if (found.empty()) return faces;
    if (found.type() != CV_32F || found.cols != 15)
      throw std::runtime_error("OpenCV gives faces in another form than 4.6 does");
    for (int i = 0; i < found.rows; i++) {
      const float* row = found.ptr<float>(i);
      dk_face face = {row[0], row[1], row[2], row[3], row[14], {}, 5};
      std::copy(row + 4, row + 14, face.points);
      faces.push_back(face);
    }
    return best(std::move(faces), smallest);
  }

  static const std::vector<std::string>& names() {
    static const std::vector<std::string> all = {"loc", "conf", "iou"};
    return all;
  }

 private:
  void attempt(cv::Size size) {
    size_t priors = 0;
    const std::array<int, 4> strides = {8, 16, 32, 64}, boxes = {3, 2, 2, 3};
    for (int i = 0; i < 4; i++) priors += size_t(size.width / strides[i]) * (size.height / strides[i]) * boxes[i];
    net_.setInput(cv::dnn::blobFromImage(cv::Mat(size, CV_8UC3, cv::Scalar(0, 0, 0))));
    std::vector<cv::Mat> out;
    net_.forward(out, names());
    const std::array<int, 3> columns = {14, 2, 1};
    for (int i = 0; i < 3; i++) {
      if (out[i].type() == CV_32F && out[i].total() == priors * columns[i]) continue;
      tried_.erase({size.width, size.height});
      throw std::runtime_error(
          "the network's outputs have other sizes than YuNet's; use a file for pictures of any size");
    }
  }

  cv::dnn::Net net_;
  cv::Ptr<cv::FaceDetectorYN> detector_;
  std::set<std::pair<int, int>> tried_;
};

}  // namespace

dk_faces* make_yunet(const char* path, const uint8_t* model, size_t size) {
  cv::dnn::Net net = cv::dnn::readNetFromONNX(reinterpret_cast<const char*>(model), size);
  if (net.empty()) throw std::runtime_error("it holds no network");
  net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
  net.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
  auto layers = net.getLayerNames();
  auto has = [&](const std::vector<std::string>& names) {
    return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
      return std::find(layers.begin(), layers.end(), name) != layers.end();
    });
  };
  auto outputs = net.getUnconnectedOutLayersNames();
  if (outputs.size() > 64) throw std::runtime_error("it is no YuNet network: it has too many outputs");
  std::unique_ptr<dk_faces> detector;
  if (has(YuNet::names()) || outputs.size() == 12) {
    detector.reset(new YuNet(std::move(net)));
  } else if (has(FormerYuNet::names()) || outputs.size() == 3) {
    detector.reset(new FormerYuNet(path, std::move(net)));
  } else {
    throw std::runtime_error("it is no YuNet network: it lacks the outputs loc, conf, iou, or cls_8 to kps_32");
  }
  // What does not fit shows now, and not in the middle of a run.
  std::vector<uint8_t> black(64 * 64 * 3, 0);
  detector->find(black.data(), 64, 64, 1);
  return detector.release();
}
