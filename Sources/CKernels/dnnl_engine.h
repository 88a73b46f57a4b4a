// What our oneDNN shims share: one engine, a stream and scratch memory a thread, and the differences of v2 and v3.
#pragma once
#include <oneapi/dnnl/dnnl.h>
#include <stddef.h>
#include <stdint.h>

// v3 made memory descriptors opaque handles; v2 has plain structs that are passed by pointer.
#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t dk_desc;
typedef dnnl_memory_desc_t dk_owned_desc;
#define DK_DESC(owned) (owned)
#else
typedef const dnnl_memory_desc_t *dk_desc;
typedef dnnl_memory_desc_t dk_owned_desc;
#define DK_DESC(owned) (&(owned))
#endif

dnnl_engine_t dk_engine(void);
dnnl_stream_t dk_stream(void);

dnnl_status_t dk_desc_make(dk_owned_desc *desc, int rank, const dnnl_dims_t dims, dnnl_format_tag_t tag);
void dk_desc_free(dk_owned_desc *desc);

/// Memory of this thread that lives until its next use; null when there is none. 64-byte aligned.
void *dk_scratch(size_t bytes);

/// The same by use, for those whose memory has to outlive that of a callee.
typedef enum {
  dk_scratch_general, dk_scratch_panels, dk_scratch_weights, dk_scratch_lines, dk_scratch_shared,
  dk_scratch_uses
} dk_use;
void *dk_scratch_of(dk_use use, size_t bytes);

/// Everything of the calling thread that the shims keep, freed when the thread ends.
typedef struct dk_thread_state dk_thread_state;
struct dk_cache;
struct dk_cache **dk_thread_cache(void (*release)(struct dk_cache *));
