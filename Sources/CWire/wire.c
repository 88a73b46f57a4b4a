#include "CWire.h"

#include <stdlib.h>
#include <string.h>

// ---- decoding with bounded memory

typedef struct {
  size_t left;
} Budget;

static void *budget_alloc(void *data, size_t size) {
  Budget *budget = data;
  if (size > budget->left) return NULL;
  budget->left -= size;
  return malloc(size);
}

static void budget_free(void *data, void *pointer) {
  (void)data;  // what was given back is not counted again: the bound is on the sum
  free(pointer);
}

ProtobufCMessage *unmask_unpack(
    const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t count, size_t limit) {
  Budget budget = {limit};
  ProtobufCAllocator allocator = {budget_alloc, budget_free, &budget};
  static const uint8_t nothing[1] = {0};
  return protobuf_c_message_unpack(type, &allocator, count, bytes ? bytes : nothing);
}

void unmask_release(ProtobufCMessage *message) {
  if (message) protobuf_c_message_free_unpacked(message, NULL);  // malloc and free, as above
}

// ---- CRC-32C

static uint32_t table[8][256];

__attribute__((constructor)) static void fill_table(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; bit++) value = (value >> 1) ^ (0x82F63B78u & (0u - (value & 1)));
    table[0][i] = value;
  }
  for (uint32_t i = 0; i < 256; i++)
    for (int t = 1; t < 8; t++) table[t][i] = (table[t - 1][i] >> 8) ^ table[0][table[t - 1][i] & 255];
}

static uint32_t crc_table(uint32_t crc, const uint8_t *p, size_t n) {
  while (n >= 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    word ^= crc;
    crc = table[7][word & 255] ^ table[6][(word >> 8) & 255] ^ table[5][(word >> 16) & 255] ^
          table[4][(word >> 24) & 255] ^ table[3][(word >> 32) & 255] ^ table[2][(word >> 40) & 255] ^
          table[1][(word >> 48) & 255] ^ table[0][word >> 56];
    p += 8;
    n -= 8;
  }
  while (n--) crc = (crc >> 8) ^ table[0][(crc ^ *p++) & 255];
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_hardware(uint32_t crc, const uint8_t *p, size_t n) {
  uint64_t wide = crc;
  while (n >= 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    wide = __builtin_ia32_crc32di(wide, word);
    p += 8;
    n -= 8;
  }
  crc = (uint32_t)wide;
  while (n--) crc = __builtin_ia32_crc32qi(crc, *p++);
  return crc;
}
#endif

uint32_t unmask_crc32c(uint32_t crc, const void *bytes, size_t count) {
  crc = ~crc;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) return ~crc_hardware(crc, bytes, count);
#endif
  return ~crc_table(crc, bytes, count);
}
