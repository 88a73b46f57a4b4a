// libav writes its messages to one global callback. Decoders run with one thread each, so a message belongs to the
// thread that called into libav: it is kept there until that thread makes it part of an error.
#include "media.h"

#include <libavutil/log.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char last[256];

static void keep(void *object, int level, const char *format, va_list arguments) {
  (void)object;
  if (level > AV_LOG_ERROR) return;
  vsnprintf(last, sizeof last, format, arguments);
  size_t n = strlen(last);
  while (n > 0 && (last[n - 1] == '\n' || last[n - 1] == ' ' || last[n - 1] == '.')) last[--n] = 0;
}

void dk_capture_av_log(void) { av_log_set_callback(keep); }
const char *dk_last_av_log(void) { return last; }
void dk_clear_av_log(void) { last[0] = 0; }
