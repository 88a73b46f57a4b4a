#pragma once
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/channel_layout.h>
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>

// Macros that Swift cannot import: error codes built with MKTAG / AVERROR, and the "no timestamp" constant.
static inline int unmask_averror_eof(void) { return AVERROR_EOF; }
static inline int unmask_averror_eagain(void) { return AVERROR(EAGAIN); }
static inline int unmask_averror_invaliddata(void) { return AVERROR_INVALIDDATA; }
static inline int64_t unmask_av_nopts_value(void) { return AV_NOPTS_VALUE; }
static inline int unmask_averror_exit(void) { return AVERROR_EXIT; }
