// Detection by cascades, and the C interface of both kinds of detector.
#include "faces.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <functional>
#include <mutex>
#include <opencv2/core.hpp>
#include <opencv2/core/ocl.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>
#include <stdexcept>
#include <string>
#include <tuple>

#include "detector.hpp"

namespace {

// One thread, no graphics processor, nothing on standard error: the same faces on every machine and every visit.
void settle() {
  static std::once_flag once;
  std::call_once(once, [] {
    cv::setNumThreads(1);
    cv::ocl::setUseOpenCL(false);
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
  });
}

void say(char* error, size_t size, const char* text) {
  if (error != nullptr && size > 0) std::snprintf(error, size, "%s", text);
}

// The overlap of two boxes as a share of the smaller one.
double overlap(const cv::Rect& a, const cv::Rect& b) {
  return double((a & b).area()) / std::max(1, std::min(a.area(), b.area()));
}

class Cascades : public dk_faces {
 public:
  Cascades(const char* frontal, const char* profile, const char* eyes) {
    load(frontal_, frontal);
    load(profile_, profile);
    load(eyes_, eyes);
  }

  std::vector<dk_face> find(const uint8_t* rgb, int width, int height, int smallest) override {
    cv::Mat grey(height, width, CV_8UC1);
    for (int y = 0; y < height; y++) {
      const uint8_t* from = rgb + size_t(y) * width * 3;
      uint8_t* to = grey.ptr<uint8_t>(y);
      // BT.601 in 16.16 fixed point.
      for (int x = 0; x < width; x++)
        to[x] = uint8_t((19595 * from[3 * x] + 38470 * from[3 * x + 1] + 7471 * from[3 * x + 2] + 32768) >> 16);
    }
    std::vector<dk_face> faces;
    std::vector<cv::Rect> boxes;
    add(detect(frontal_, grey, smallest, 4), boxes);
    size_t frontals = boxes.size();
    if (boxes.empty()) {
      // The cascade knows profiles that look to one side; the mirrored picture has the others.
      add(detect(profile_, grey, smallest, 4), boxes);
      cv::Mat mirrored;
      cv::flip(grey, mirrored, 1);
      auto others = detect(profile_, mirrored, smallest, 4);
      for (auto& other : others) other.box.x = width - other.box.x - other.box.width;
      add(others, boxes);
    }
    for (size_t i = 0; i < boxes.size(); i++) {
      const cv::Rect& box = boxes[i];
      dk_face face = {};
      face.x = float(box.x), face.y = float(box.y), face.width = float(box.width), face.height = float(box.height);
      face.score = float(scores_[i]);
      if (i < frontals) eyes(grey, box, face);
      faces.push_back(face);
    }
    scores_.clear();
    return faces;
  }

 private:
  struct Candidate {
    cv::Rect box;
    int neighbours;
  };

  static void load(cv::CascadeClassifier& cascade, const char* path) {
    bool good = false;
    try {
      good = cascade.load(path);
    } catch (const std::exception&) {
    }
    if (!good || cascade.empty()) throw std::runtime_error(std::string(path) + " is no cascade that OpenCV can read");
    cv::Size window = cascade.getOriginalWindowSize();
    if (window.width < 4 || window.height < 4 || window.width > 256 || window.height > 256) {
      throw std::runtime_error(std::string(path) + " is a cascade of an impossible size");
    }
  }

  static std::vector<Candidate> detect(cv::CascadeClassifier& cascade, const cv::Mat& grey, int smallest,
                                       int neighbours) {
    std::vector<cv::Rect> boxes;
    std::vector<int> counts;
    cv::Size window = cascade.getOriginalWindowSize();
    int side = std::max(smallest, std::max(window.width, window.height));
    if (grey.cols < side || grey.rows < side) return {};
    cascade.detectMultiScale(grey, boxes, counts, 1.07, neighbours, 0, cv::Size(side, side));
    std::vector<Candidate> found;
    for (size_t i = 0; i < boxes.size(); i++) found.push_back({boxes[i], i < counts.size() ? counts[i] : 0});
    std::sort(found.begin(), found.end(), [](const Candidate& a, const Candidate& b) {
      auto key = [](const Candidate& c) { return std::make_tuple(-c.neighbours, -c.box.area(), c.box.x, c.box.y); };
      return key(a) < key(b);
    });
    return found;
  }

  // Keeps candidates that do not lie over better ones.
  void add(const std::vector<Candidate>& found, std::vector<cv::Rect>& boxes) {
    for (const auto& one : found) {
      bool covered =
          std::any_of(boxes.begin(), boxes.end(), [&](const cv::Rect& box) { return overlap(box, one.box) > 0.4; });
      if (covered || boxes.size() >= DK_FACES_MOST) continue;
      boxes.push_back(one.box);
      scores_.push_back(one.neighbours);
    }
  }

  // The pair of eyes that looks most like one: one in each half, of a size, at a height, as far apart as eyes are.
  void eyes(const cv::Mat& grey, const cv::Rect& box, dk_face& face) {
    cv::Rect upper(box.x, box.y + box.height / 8, box.width, box.height / 2);
    upper &= cv::Rect(0, 0, grey.cols, grey.rows);
    if (upper.width < 24 || upper.height < 12) return;
    // Always as large, so that the cascade sees eyes of the size that it was made for.
    double scale = 160.0 / box.width;
    cv::Mat part;
    cv::resize(grey(upper), part,
               cv::Size(std::max(1, int(upper.width * scale + 0.5)), std::max(1, int(upper.height * scale + 0.5))), 0,
               0, cv::INTER_LINEAR_EXACT);
    auto found = detect(eyes_, part, 24, 3);
    if (found.size() > 16) found.resize(16);
    double best = 1e9;
    for (const auto& right : found) {
      for (const auto& left : found) {
        cv::Point2d r(right.box.x + right.box.width / 2.0, right.box.y + right.box.height / 2.0);
        cv::Point2d l(left.box.x + left.box.width / 2.0, left.box.y + left.box.height / 2.0);
        double dx = (l.x - r.x) / 160, dy = (l.y - r.y) / 160;
        if (r.x > 0.52 * 160 || l.x < 0.48 * 160 || dx < 0.25 || dx > 0.6 || std::abs(dy) > 0.6 * dx) continue;
        double size = std::abs(right.box.width - left.box.width) / double(std::max(right.box.width, left.box.width));
        // Eyes lie 0.4 of a face's width apart, 0.38 below its top; half of that off counts as much as another size.
        double height = (r.y + l.y) / 2 / 160 + 0.125 - 0.38;
        double badness = size + 4 * std::abs(dx - 0.4) + 4 * std::abs(height) + std::abs(dy) -
                         0.02 * std::min(right.neighbours + left.neighbours, 20);
        if (badness >= best) continue;
        best = badness;
        face.points[0] = float(upper.x + r.x / scale), face.points[1] = float(upper.y + r.y / scale);
        face.points[2] = float(upper.x + l.x / scale), face.points[3] = float(upper.y + l.y / scale);
        face.known = 2;
      }
    }
  }

  cv::CascadeClassifier frontal_, profile_, eyes_;
  std::vector<int> scores_;  // of the boxes of the picture at hand
};

dk_faces* guarded(char* error, size_t size, const std::function<dk_faces*()>& make) {
  try {
    settle();
    return make();
  } catch (const cv::Exception& problem) {
    say(error, size, problem.err.empty() ? problem.what() : problem.err.c_str());
  } catch (const std::exception& problem) {
    say(error, size, problem.what());
  } catch (...) {
    say(error, size, "OpenCV failed without saying why");
  }
  return nullptr;
}

}  // namespace

extern "C" dk_faces* dk_faces_cascades(const char* frontal, const char* profile, const char* eyes, char* error,
                                       size_t error_size) {
  return guarded(error, error_size, [=] { return new Cascades(frontal, profile, eyes); });
}

extern "C" dk_faces* dk_faces_yunet(const char* path, const uint8_t* model, size_t model_size, char* error,
                                    size_t error_size) {
  return guarded(error, error_size, [=] { return make_yunet(path, model, model_size); });
}

extern "C" void dk_faces_free(dk_faces* detector) {
  try {
    delete detector;
  } catch (...) {
  }
}

extern "C" int dk_faces_find(dk_faces* detector, const uint8_t* rgb, int width, int height, int smallest,
                             dk_face* found, int capacity, char* error, size_t error_size) {
  if (detector == nullptr || rgb == nullptr || found == nullptr || width < 1 || height < 1 || width > DK_FACES_SIDE ||
      height > DK_FACES_SIDE || capacity < 1) {
    say(error, error_size, "a picture of an impossible size was to be searched for faces");
    return -1;
  }
  try {
    auto faces = detector->find(rgb, width, height, std::max(1, smallest));
    int count = int(std::min(faces.size(), size_t(std::min<int>(capacity, DK_FACES_MOST))));
    std::copy(faces.begin(), faces.begin() + count, found);
    return count;
  } catch (const cv::Exception& problem) {
    say(error, error_size, problem.err.empty() ? problem.what() : problem.err.c_str());
  } catch (const std::exception& problem) {
    say(error, error_size, problem.what());
  } catch (...) {
    say(error, error_size, "OpenCV failed without saying why");
  }
  return -1;
}

extern "C" const char* dk_faces_version(void) {
  try {
    static const std::string version = cv::getVersionString();
    return version.c_str();
  } catch (...) {
    return "unknown";
  }
}
