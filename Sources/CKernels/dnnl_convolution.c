// Convolutions of oneDNN on plain channels-last buffers. A primitive is made once a thread, kind, shape and thread
// count; activations are never reordered, weights are, into the order that the primitive prefers.
#include "dk_convolution_parts.h"
#include "dk_parallel.h"
#include "dnnl_engine.h"
#include <stdlib.h>
#include <string.h>

// More shapes than a training run has; variable-length inference makes new ones all the time, so the oldest goes.
enum { cache_limit = 256, argument_limit = 6 };

typedef struct {
  dk_conv conv;
  int32_t kind, threads, has_bias, reserved;
} cache_key;

typedef struct {
  cache_key key;
  uint64_t used;  // by the clock of the cache
  dnnl_primitive_desc_t desc;
  dnnl_primitive_t primitive, reorder;  // reorder: plain weights to the primitive's order, or back; null if equal
  dnnl_memory_t source, weights, bias, destination, scratchpad, plain_weights;
  size_t scratchpad_bytes, weights_bytes;
} entry;

struct dk_cache {
  uint64_t clock;
  int count;
  entry *entries[cache_limit];
};

static void entry_free(entry *e) {
  if (!e) return;
  dnnl_memory_t memories[] = {e->source, e->weights, e->bias, e->destination, e->scratchpad, e->plain_weights};
  for (size_t i = 0; i < sizeof memories / sizeof *memories; ++i)
    if (memories[i]) dnnl_memory_destroy(memories[i]);
  if (e->reorder) dnnl_primitive_destroy(e->reorder);
  if (e->primitive) dnnl_primitive_destroy(e->primitive);
  if (e->desc) dnnl_primitive_desc_destroy(e->desc);
  free(e);
}

static void cache_free(struct dk_cache *cache) {
  for (int i = 0; i < cache->count; ++i) entry_free(cache->entries[i]);
  free(cache);
}

#define TRY(call)                                       \
  do {                                                  \
    status = (call);                                    \
    if (status != dnnl_success) goto done;              \
  } while (0)

// oneDNN's view of a convolution: two spatial axes if that is enough, a line being an image of height 1.
typedef struct {
  int rank, weights_rank;
  dnnl_dims_t source, weights, bias, destination, stride, dilation, pad_low, pad_high;
  dnnl_format_tag_t activations, plain_weights;
} problem;

static void problem_make(problem *p, const dk_conv *conv) {
  const int flat = conv->in[0] == 1 && conv->kernel[0] == 1 && conv->pad_low[0] == 0 && conv->pad_high[0] == 0;
  const int spatial = flat ? 2 : 3;
  const int grouped = conv->groups > 1, first = 3 - spatial;
  memset(p, 0, sizeof *p);
  p->rank = spatial + 2;
  p->weights_rank = p->rank + grouped;
  p->source[0] = p->destination[0] = conv->batch;
  p->source[1] = conv->in_channels;
  p->destination[1] = p->bias[0] = conv->out_channels;
  if (grouped) p->weights[0] = conv->groups;
  p->weights[grouped] = conv->out_channels / conv->groups;
  p->weights[grouped + 1] = conv->in_channels / conv->groups;
  for (int i = 0; i < spatial; ++i) {
    p->source[2 + i] = conv->in[first + i];
    p->destination[2 + i] = conv->out[first + i];
    p->weights[grouped + 2 + i] = conv->kernel[first + i];
    p->stride[i] = conv->stride[first + i];
    p->dilation[i] = conv->dilation[first + i] - 1;
    p->pad_low[i] = conv->pad_low[first + i];
    p->pad_high[i] = conv->pad_high[first + i];
  }
  p->activations = spatial == 2 ? dnnl_nhwc : dnnl_ndhwc;
  p->plain_weights = spatial == 2 ? (grouped ? dnnl_goihw : dnnl_oihw) : (grouped ? dnnl_goidhw : dnnl_oidhw);
}

// The primitive descriptor of `kind`; backward kinds need a forward one as a hint.
static dnnl_status_t describe(
  dnnl_primitive_desc_t *desc, int kind, const problem *p, dk_desc source, dk_desc weights, dk_desc bias,
  dk_desc destination, dnnl_primitive_attr_t attr, dnnl_primitive_desc_t hint) {
  const dnnl_alg_kind_t direct = dnnl_convolution_direct;
#if DNNL_VERSION_MAJOR >= 3
  switch (kind) {
    case dk_conv_kind_forward:
      return dnnl_convolution_forward_primitive_desc_create(
        desc, dk_engine(), dnnl_forward_training, direct, source, weights, bias, destination, p->stride, p->dilation,
        p->pad_low, p->pad_high, attr);
    case dk_conv_kind_input:
      return dnnl_convolution_backward_data_primitive_desc_create(
        desc, dk_engine(), direct, source, weights, destination, p->stride, p->dilation, p->pad_low, p->pad_high, hint,
        attr);
    default:
      return dnnl_convolution_backward_weights_primitive_desc_create(
        desc, dk_engine(), direct, source, weights, bias, destination, p->stride, p->dilation, p->pad_low, p->pad_high,
        hint, attr);
  }
#else
  dnnl_convolution_desc_t operation;
  dnnl_status_t status;
  switch (kind) {
    case dk_conv_kind_forward:
      status = dnnl_dilated_convolution_forward_desc_init(
        &operation, dnnl_forward_training, direct, source, weights, bias, destination, p->stride, p->dilation,
        p->pad_low, p->pad_high);
      break;
    case dk_conv_kind_input:
      status = dnnl_dilated_convolution_backward_data_desc_init(
        &operation, direct, source, weights, destination, p->stride, p->dilation, p->pad_low, p->pad_high);
      break;
    default:
      status = dnnl_dilated_convolution_backward_weights_desc_init(
        &operation, direct, source, weights, bias, destination, p->stride, p->dilation, p->pad_low, p->pad_high);
  }
  return status == dnnl_success ? dnnl_primitive_desc_create(desc, &operation, attr, dk_engine(), hint) : status;
#endif
}

static dnnl_status_t reorder_make(dnnl_primitive_t *primitive, dk_desc from, dk_desc to) {
  dnnl_primitive_desc_t desc = NULL;
  dnnl_status_t status = dnnl_reorder_primitive_desc_create(&desc, from, dk_engine(), to, dk_engine(), NULL);
  if (status == dnnl_success) status = dnnl_primitive_create(primitive, desc);
  if (desc) dnnl_primitive_desc_destroy(desc);
  return status;
}

static dnnl_status_t entry_make(entry **made, const cache_key *key) {
  dnnl_status_t status = dnnl_success;
  dnnl_primitive_attr_t attr = NULL;
  dnnl_primitive_desc_t hint = NULL;
  dk_owned_desc source = {0}, any_weights = {0}, plain_weights = {0}, bias = {0}, destination = {0};
  entry *e = calloc(1, sizeof *e);
  if (!e) return dnnl_out_of_memory;
  e->key = *key;
  problem p;
  problem_make(&p, &key->conv);
  TRY(dk_desc_make(&source, p.rank, p.source, p.activations));
  TRY(dk_desc_make(&destination, p.rank, p.destination, p.activations));
  TRY(dk_desc_make(&any_weights, p.weights_rank, p.weights, dnnl_format_tag_any));
  TRY(dk_desc_make(&plain_weights, p.weights_rank, p.weights, p.plain_weights));
  TRY(dk_desc_make(&bias, 1, p.bias, dnnl_a));
  const dk_desc used_bias = key->has_bias ? DK_DESC(bias) : NULL;
  TRY(dnnl_primitive_attr_create(&attr));
  TRY(dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user));
  if (key->kind != dk_conv_kind_forward)
    TRY(describe(
      &hint, dk_conv_kind_forward, &p, DK_DESC(source), DK_DESC(any_weights), used_bias, DK_DESC(destination), attr,
      NULL));
  TRY(describe(
    &e->desc, key->kind, &p, DK_DESC(source), DK_DESC(any_weights), used_bias, DK_DESC(destination), attr, hint));
  TRY(dnnl_primitive_create(&e->primitive, e->desc));

  const int backward_weights = key->kind == dk_conv_kind_weights;
  const dk_desc weights =
    dnnl_primitive_desc_query_md(e->desc, backward_weights ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
  const dk_desc scratchpad = dnnl_primitive_desc_query_md(e->desc, dnnl_query_scratchpad_md, 0);
  e->scratchpad_bytes = dnnl_memory_desc_get_size(scratchpad);
  TRY(dnnl_memory_create(&e->source, DK_DESC(source), dk_engine(), NULL));
  TRY(dnnl_memory_create(&e->destination, DK_DESC(destination), dk_engine(), NULL));
  TRY(dnnl_memory_create(&e->weights, weights, dk_engine(), NULL));
  TRY(dnnl_memory_create(&e->scratchpad, scratchpad, dk_engine(), NULL));
  if (used_bias) TRY(dnnl_memory_create(&e->bias, used_bias, dk_engine(), NULL));
  if (!dnnl_memory_desc_equal(weights, DK_DESC(plain_weights))) {
    e->weights_bytes = dnnl_memory_desc_get_size(weights);
    TRY(dnnl_memory_create(&e->plain_weights, DK_DESC(plain_weights), dk_engine(), NULL));
    TRY(
      backward_weights ? reorder_make(&e->reorder, weights, DK_DESC(plain_weights))
                       : reorder_make(&e->reorder, DK_DESC(plain_weights), weights));
  }

done:
  dk_desc_free(&source);
  dk_desc_free(&destination);
  dk_desc_free(&any_weights);
  dk_desc_free(&plain_weights);
  dk_desc_free(&bias);
  if (hint) dnnl_primitive_desc_destroy(hint);
  if (attr) dnnl_primitive_attr_destroy(attr);
  if (status != dnnl_success) {
    entry_free(e);
    e = NULL;
  }
  *made = e;
  return status;
}

static dnnl_status_t find(entry **found, const dk_conv *conv, int kind, int has_bias) {
  struct dk_cache **slot = dk_thread_cache(cache_free);
  if (!*slot && !(*slot = calloc(1, sizeof **slot))) return dnnl_out_of_memory;
  struct dk_cache *cache = *slot;
  cache_key key;
  memset(&key, 0, sizeof key);
  key.conv = *conv;
  key.kind = kind;
  key.threads = dk_threads();
  key.has_bias = has_bias;
  cache->clock += 1;
  int oldest = 0;
  for (int i = 0; i < cache->count; ++i) {
    entry *e = cache->entries[i];
    if (memcmp(&e->key, &key, sizeof key) == 0) {
      e->used = cache->clock;
      *found = e;
      return dnnl_success;
    }
    if (e->used < cache->entries[oldest]->used) oldest = i;
  }
  entry *made;
  const dnnl_status_t status = entry_make(&made, &key);
  if (status != dnnl_success) return status;
  made->used = cache->clock;
  if (cache->count < cache_limit) {
    cache->entries[cache->count++] = made;
  } else {
    entry_free(cache->entries[oldest]);
    cache->entries[oldest] = made;
  }
  *found = made;
  return dnnl_success;
}

static dnnl_status_t execute(
  int kind, const dk_conv *conv, const float *source, const float *weights, const float *bias,
  const float *destination) {
  dnnl_status_t status = dnnl_success;
  entry *e;
  TRY(find(&e, conv, kind, bias != NULL));
  // Scratchpad first, then the reordered weights, in one block of this thread.
  const size_t offset = (e->scratchpad_bytes + 63) & ~(size_t)63;
  char *scratch = dk_scratch(offset + e->weights_bytes + 64);
  if (!scratch) return dnnl_out_of_memory;
  TRY(dnnl_memory_set_data_handle(e->source, (void *)source));
  TRY(dnnl_memory_set_data_handle(e->destination, (void *)destination));
  TRY(dnnl_memory_set_data_handle(e->scratchpad, scratch));
  TRY(dnnl_memory_set_data_handle(e->weights, e->reorder ? scratch + offset : (void *)weights));
  if (e->bias) TRY(dnnl_memory_set_data_handle(e->bias, (void *)bias));
  if (e->reorder) TRY(dnnl_memory_set_data_handle(e->plain_weights, (void *)weights));

  const dnnl_exec_arg_t to_primitive[] = {{DNNL_ARG_FROM, e->plain_weights}, {DNNL_ARG_TO, e->weights}};
  const dnnl_exec_arg_t to_plain[] = {{DNNL_ARG_FROM, e->weights}, {DNNL_ARG_TO, e->plain_weights}};
  if (e->reorder && kind != dk_conv_kind_weights)
    TRY(dnnl_primitive_execute(e->reorder, dk_stream(), 2, to_primitive));

  dnnl_exec_arg_t arguments[argument_limit];
  int count = 0;
  const int source_argument = kind == dk_conv_kind_input ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC;
  const int destination_argument = kind == dk_conv_kind_forward ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST;
  const int weights_argument = kind == dk_conv_kind_weights ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS;
  const int bias_argument = kind == dk_conv_kind_weights ? DNNL_ARG_DIFF_BIAS : DNNL_ARG_BIAS;
  arguments[count++] = (dnnl_exec_arg_t){source_argument, e->source};
  arguments[count++] = (dnnl_exec_arg_t){weights_argument, e->weights};
  arguments[count++] = (dnnl_exec_arg_t){destination_argument, e->destination};
  arguments[count++] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, e->scratchpad};
  if (e->bias) arguments[count++] = (dnnl_exec_arg_t){bias_argument, e->bias};
  TRY(dnnl_primitive_execute(e->primitive, dk_stream(), count, arguments));
  if (e->reorder && kind == dk_conv_kind_weights) TRY(dnnl_primitive_execute(e->reorder, dk_stream(), 2, to_plain));
  TRY(dnnl_stream_wait(dk_stream()));

done:
  return status;
}

int dk_dnnl_forward(const dk_conv *conv, const float *x, const float *w, const float *bias, float *y) {
  return execute(dk_conv_kind_forward, conv, x, w, bias, y);
}

int dk_dnnl_backward_input(const dk_conv *conv, const float *w, const float *dy, float *dx) {
  return execute(dk_conv_kind_input, conv, dx, w, NULL, dy);
}

int dk_dnnl_backward_weights(const dk_conv *conv, const float *x, const float *dy, float *dw, float *dbias) {
  return execute(dk_conv_kind_weights, conv, x, dw, dbias, dy);
}

const char *dk_dnnl_implementation(const dk_conv *conv, int kind, int has_bias) {
  entry *e;
  const char *name = "none";
  if (find(&e, conv, kind, has_bias) == dnnl_success)
    dnnl_primitive_desc_query(e->desc, dnnl_query_impl_info_str, 0, &name);
  return name;
}
