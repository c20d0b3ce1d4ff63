// SHA-256 as FIPS 180-4 §6.2 defines it, one block of 64 bytes at a time.
#include "moe/Machine/Sha256.h"

#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace moe {

static const uint32_t roundConstants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotateRight(uint32_t word, int count) { return (word >> count) | (word << (32 - count)); }

static void compressPlainly(uint32_t *state, const uint8_t *block) {
  uint32_t schedule[64];
  for (int t = 0; t < 16; ++t)
    schedule[t] = uint32_t(block[4 * t]) << 24 | uint32_t(block[4 * t + 1]) << 16 | uint32_t(block[4 * t + 2]) << 8 | block[4 * t + 3];
  for (int t = 16; t < 64; ++t) {
    uint32_t near = schedule[t - 2], far = schedule[t - 15];
    schedule[t] = (rotateRight(near, 17) ^ rotateRight(near, 19) ^ (near >> 10)) + schedule[t - 7] +
                  (rotateRight(far, 7) ^ rotateRight(far, 18) ^ (far >> 3)) + schedule[t - 16];
  }
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
  for (int t = 0; t < 64; ++t) {
    uint32_t first = h + (rotateRight(e, 6) ^ rotateRight(e, 11) ^ rotateRight(e, 25)) + ((e & f) ^ (~e & g)) + roundConstants[t] + schedule[t];
    uint32_t second = (rotateRight(a, 2) ^ rotateRight(a, 13) ^ rotateRight(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + first, d = c, c = b, b = a, a = first + second;
  }
  const uint32_t working[8] = {a, b, c, d, e, f, g, h};
  for (int i = 0; i < 8; ++i)
    state[i] += working[i];
}

#ifdef __x86_64__
static bool readInstructions() {
  unsigned eax, ebx, ecx, edx, eax7, ebx7, ecx7, edx7;
  constexpr unsigned ssse3 = 1u << 9, sse41 = 1u << 19, sha = 1u << 29;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & ssse3) && (ecx & sse41) && __get_cpuid_count(7, 0, &eax7, &ebx7, &ecx7, &edx7) && (ebx7 & sha);
}

bool hasSha256Instructions() {
  static int known; // 0: not asked yet. CPUID may cost a trip to a hypervisor; threads that ask at once find the same.
  int answer = __atomic_load_n(&known, __ATOMIC_RELAXED);
  if (!answer) {
    answer = readInstructions() ? 1 : -1;
    __atomic_store_n(&known, answer, __ATOMIC_RELAXED);
  }
  return answer > 0;
}

// The instructions keep the state as (a, b, e, f) and (c, d, g, h), first named highest, and take four rounds' words and constants at a time, two rounds
// each. Words 16 on are made four at a time from the sixteen before.
__attribute__((target("sha,sse4.1,ssse3"))) static void compressByInstructions(uint32_t *state, const uint8_t *blocks, size_t count) {
  const __m128i bigEndian = _mm_set_epi64x(0x0c0d0e0f08090a0bll, 0x0405060700010203ll);
  const __m128i dcba = _mm_loadu_si128(reinterpret_cast<const __m128i *>(state)), hgfe = _mm_loadu_si128(reinterpret_cast<const __m128i *>(state + 4));
  const __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1), efgh = _mm_shuffle_epi32(hgfe, 0x1b);
  __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
  for (; count > 0; --count, blocks += 64) {
    const __m128i abefBefore = abef, cdghBefore = cdgh;
    __m128i words[4];
    for (int i = 0; i < 4; ++i)
      words[i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i *>(blocks + 16 * i)), bigEndian);
#pragma GCC unroll 16
    for (int group = 0; group < 16; ++group) {
      __m128i &current = words[group % 4];
      if (group >= 4) {
        const __m128i after = words[(group + 1) % 4], third = words[(group + 2) % 4], last = words[(group + 3) % 4];
        current = _mm_sha256msg1_epu32(current, after);
        current = _mm_sha256msg2_epu32(_mm_add_epi32(current, _mm_alignr_epi8(last, third, 4)), last);
      }
      const __m128i sum = _mm_add_epi32(current, _mm_loadu_si128(reinterpret_cast<const __m128i *>(roundConstants + 4 * group)));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
    }
    abef = _mm_add_epi32(abef, abefBefore);
    cdgh = _mm_add_epi32(cdgh, cdghBefore);
  }
  const __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
  _mm_storeu_si128(reinterpret_cast<__m128i *>(state), _mm_blend_epi16(feba, dchg, 0xf0));
  _mm_storeu_si128(reinterpret_cast<__m128i *>(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}
#else
bool hasSha256Instructions() { return false; }
#endif

void Sha256::compress(const uint8_t *blocks, size_t count) {
#ifdef __x86_64__
  if (instructions)
    return compressByInstructions(state, blocks, count);
#endif
  for (; count > 0; --count, blocks += 64)
    compressPlainly(state, blocks);
}

void Sha256::update(const void *data, size_t bytes) {
  if (bytes == 0)
    return;
  const uint8_t *in = static_cast<const uint8_t *>(data);
  size_t held = length % 64;
  length += bytes;
  if (held) {
    size_t taken = bytes < 64 - held ? bytes : 64 - held;
    memcpy(pending + held, in, taken);
    if (held + taken < 64)
      return;
    compress(pending, 1);
    in += taken, bytes -= taken;
  }
  compress(in, bytes / 64);
  if (bytes % 64)
    memcpy(pending, in + bytes / 64 * 64, bytes % 64);
}

void Sha256::finish(uint8_t digest[32]) {
  const uint64_t bits = length * 8;
  const uint8_t one = 0x80, zero = 0;
  update(&one, 1);
  while (length % 64 != 56)
    update(&zero, 1);
  uint8_t tail[8];
  for (int i = 0; i < 8; ++i)
    tail[i] = uint8_t(bits >> (56 - 8 * i));
  update(tail, 8);
  for (int i = 0; i < 32; ++i)
    digest[i] = uint8_t(state[i / 4] >> (24 - 8 * (i % 4)));
}

void formatSha256(const uint8_t digest[32], char text[65]) {
  for (int i = 0; i < 32; ++i) {
    text[2 * i] = "0123456789abcdef"[digest[i] >> 4];
    text[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
  }
  text[64] = '\0';
}

} // namespace moe
