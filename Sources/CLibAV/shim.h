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

// The display matrix of a stream, or NULL: nine numbers. libav 6.1 moved it from the stream to its parameters.
static inline const int32_t *unmask_av_display_matrix(const AVStream *stream) {
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 100)
  const AVPacketSideData *data = av_packet_side_data_get(
      stream->codecpar->coded_side_data, stream->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
  return data && data->size >= 9 * sizeof(int32_t) ? (const int32_t *)data->data : NULL;
#else
  size_t size = 0;
  const uint8_t *data = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
  return data && size >= 9 * sizeof(int32_t) ? (const int32_t *)data : NULL;
#endif
}
