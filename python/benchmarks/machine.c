// What this machine reads from memory and multiplies at best, on a given number of threads: the roof that layers are measured against.
// Built by machine.py with -march=native, as a library.
#include <immintrin.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { WORDS = 32 << 20, PASSES = 3, ROUNDS = 400000 };

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec + 1e-9 * now.tv_nsec;
}

typedef struct {
  const uint64_t *words;
  size_t count;
  volatile uint64_t sink;
} Share;

static uint64_t sumOf(const uint64_t *words) {
  uint64_t sum = 0;
  for (int i = 0; i < 8; ++i)
    sum += words[i];
  return sum;
}

static void *readInOrder(void *argument) {
  Share *share = argument;
  uint64_t sum = 0;
  for (size_t i = 0; i + 32 <= share->count; i += 32)
    for (int line = 0; line < 4; ++line)
      sum += sumOf(share->words + i + 8 * line);
  share->sink = sum;
  return NULL;
}

/// Several streams, with requests ahead of them: what some processors need to keep enough lines under way.
static void *readStreams(void *argument) {
  enum { STREAMS = 8, AHEAD = 512 };
  Share *share = argument;
  const size_t part = share->count / STREAMS / 32 * 32;
  uint64_t sum = 0;
  for (size_t i = 0; i < part; i += 32)
    for (int stream = 0; stream < STREAMS; ++stream) {
      const uint64_t *words = share->words + stream * part + i;
      for (int line = 0; line < 4; ++line) {
        __builtin_prefetch(words + AHEAD + 8 * line, 0, 2);
        sum += sumOf(words + 8 * line);
      }
    }
  share->sink = sum;
  return NULL;
}

#ifdef __AVX512F__
typedef __m512 Vector;
#define SET(x) _mm512_set1_ps(x)
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define LANES 16
#else
typedef __m256 Vector;
#define SET(x) _mm256_set1_ps(x)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define LANES 8
#endif

static void *multiply(void *argument) {
  Vector sums[12], a = SET(1.0f), b = SET(1e-9f);
  for (int i = 0; i < 12; ++i)
    sums[i] = SET((float)i);
  for (int round = 0; round < ROUNDS; ++round) {
    for (int i = 0; i < 12; ++i)
      sums[i] = FMA(a, b, sums[i]);
    __asm__ volatile("" : "+v"(a));
  }
  for (int i = 1; i < 12; ++i)
    sums[0] = FMA(a, sums[i], sums[0]);
  memcpy(argument, &sums[0], sizeof(float));
  return NULL;
}

#ifdef __AVX512BF16__
static void *multiplyBf16(void *argument) {
  __m512 sums[12];
  __m512i a = _mm512_set1_epi16(0x3f80), b = _mm512_set1_epi16(0x3000);
  for (int i = 0; i < 12; ++i)
    sums[i] = _mm512_set1_ps((float)i);
  for (int round = 0; round < ROUNDS; ++round) {
    for (int i = 0; i < 12; ++i)
      sums[i] = _mm512_dpbf16_ps(sums[i], (__m512bh)a, (__m512bh)b);
    __asm__ volatile("" : "+v"(a));
  }
  for (int i = 1; i < 12; ++i)
    sums[0] = _mm512_add_ps(sums[0], sums[i]);
  memcpy(argument, &sums[0], sizeof(float));
  return NULL;
}
#endif

#ifdef __AVX512VNNI__
static void *multiplyInt8(void *argument) {
  __m512i sums[12], a = _mm512_set1_epi8(1), b = _mm512_set1_epi8(1);
  for (int i = 0; i < 12; ++i)
    sums[i] = _mm512_set1_epi32(i);
  for (int round = 0; round < ROUNDS; ++round) {
    for (int i = 0; i < 12; ++i)
      sums[i] = _mm512_dpbusd_epi32(sums[i], a, b);
    __asm__ volatile("" : "+v"(a));
  }
  for (int i = 1; i < 12; ++i)
    sums[0] = _mm512_add_epi32(sums[0], sums[i]);
  memcpy(argument, &sums[0], sizeof(float));
  return NULL;
}
#endif

#ifdef __AMX_TILE__
enum { TILE_DATA = 18, REQUEST_PERMISSION = 0x1023, TILE_ROUNDS = 60000 };

static int tilesGranted(void) { return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0; }

// Full tiles: 16 rows of 64 bytes. Four sums of two tiles by two, as many as leave registers for what is multiplied.
static void configureTiles(void) {
  struct __attribute__((packed, aligned(64))) {
    uint8_t palette, start, reserved[14];
    uint16_t rowBytes[16];
    uint8_t rows[16];
  } shapes = {.palette = 1};
  for (int tile = 0; tile < 8; ++tile)
    shapes.rowBytes[tile] = 64, shapes.rows[tile] = 16;
  _tile_loadconfig(&shapes);
  // Numbers of many kinds: with zeros the processor draws less power and is a fifth faster than it will ever be.
  static uint16_t numbers[16 * 32];
  for (int i = 0; i < 16 * 32; ++i)
    numbers[i] = (uint16_t)(0x3c00 + i * 40503 % 0x1ff + (i % 2 << 15));
  _tile_zero(0), _tile_zero(1), _tile_zero(2), _tile_zero(3);
  _tile_loadd(4, numbers, 64), _tile_loadd(5, numbers, 64), _tile_loadd(6, numbers, 64), _tile_loadd(7, numbers, 64);
}

static void *multiplyTilesBf16(void *argument) {
  (void)argument;
  configureTiles();
  for (int round = 0; round < TILE_ROUNDS; ++round) {
    _tile_dpbf16ps(0, 4, 6), _tile_dpbf16ps(1, 4, 7), _tile_dpbf16ps(2, 5, 6), _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
  return NULL;
}

static void *multiplyTilesInt8(void *argument) {
  (void)argument;
  configureTiles();
  for (int round = 0; round < TILE_ROUNDS; ++round) {
    _tile_dpbsud(0, 4, 6), _tile_dpbsud(1, 4, 7), _tile_dpbsud(2, 5, 6), _tile_dpbsud(3, 5, 7);
  }
  _tile_release();
  return NULL;
}
#endif

typedef struct {
  void *(*work)(void *);
  void *argument;
  double time;
} Timed;

static void *runTimed(void *argument) {
  Timed *timed = argument;
  const double start = seconds();
  timed->work(timed->argument);
  timed->time = seconds() - start;
  return NULL;
}

/// Seconds of processor time that the slowest of `count` threads takes to run `work` on its own argument. What other processes take of the
/// machine is not in it, unless they crowd caches and memory.
static double together(int count, void *(*work)(void *), char *arguments, size_t size) {
  pthread_t team[256];
  Timed timed[256];
  for (int t = 0; t < count; ++t)
    timed[t] = (Timed){work, arguments + t * size, 0};
  for (int t = 1; t < count; ++t)
    pthread_create(&team[t], NULL, runTimed, &timed[t]);
  runTimed(&timed[0]);
  double most = timed[0].time;
  for (int t = 1; t < count; ++t) {
    pthread_join(team[t], NULL);
    most = timed[t].time > most ? timed[t].time : most;
  }
  return most;
}

/// results: bytes read (in the faster of two ways) per second, then operations per second: in f32, vdpbf16ps, vpdpbusd, tdpbf16ps, tdpbsud (each 0 where the processor or
/// the kernel has it not).
/// Reading also leaves nothing of anyone's weights in the caches. Not 0 where there is no memory or `count` is not from 1 to 256.
int measure(int count, double *results) {
  static uint64_t *words;
  if (count < 1 || count > 256)
    return 2;
  if (!words) {
    words = aligned_alloc(2 << 20, WORDS * sizeof(uint64_t));
    if (!words)
      return 2;
    madvise(words, WORDS * sizeof(uint64_t), MADV_HUGEPAGE);
    memset(words, 1, WORDS * sizeof(uint64_t));
  }
  Share shares[256];
  float sums[256];
  double reading = 1e9, f32 = 1e9, bf16 = 1e9, int8 = 1e9, tileBf16 = 1e9, tileInt8 = 1e9;
  for (int pass = 0; pass < PASSES; ++pass) {
    for (int t = 0; t < count; ++t)
      shares[t] = (Share){words + WORDS / count * t, WORDS / count, 0};
    double time = together(count, readInOrder, (char *)shares, sizeof(Share));
    reading = time < reading ? time : reading;
    time = together(count, readStreams, (char *)shares, sizeof(Share));
    reading = time < reading ? time : reading;
    time = together(count, multiply, (char *)sums, sizeof(float));
    f32 = time < f32 ? time : f32;
#ifdef __AVX512BF16__
    time = together(count, multiplyBf16, (char *)sums, sizeof(float));
    bf16 = time < bf16 ? time : bf16;
#endif
#ifdef __AVX512VNNI__
    time = together(count, multiplyInt8, (char *)sums, sizeof(float));
    int8 = time < int8 ? time : int8;
#endif
#ifdef __AMX_TILE__
    if (!tilesGranted())
      continue;
    time = together(count, multiplyTilesBf16, (char *)sums, sizeof(float));
    tileBf16 = time < tileBf16 ? time : tileBf16;
    time = together(count, multiplyTilesInt8, (char *)sums, sizeof(float));
    tileInt8 = time < tileInt8 ? time : tileInt8;
#endif
  }
  const double products = (double)count * ROUNDS * 12;
#ifdef __AVX512BF16__
  const double bf16Rate = products * 64 / bf16;
#else
  const double bf16Rate = 0;
#endif
#ifdef __AVX512VNNI__
  const double int8Rate = products * 128 / int8;
#else
  const double int8Rate = 0;
#endif
  results[0] = WORDS * sizeof(uint64_t) / reading;
  results[1] = products * LANES * 2 / f32;
  results[2] = bf16Rate;
  results[3] = int8Rate;
  results[4] = results[5] = 0;
#ifdef __AMX_TILE__
  // A product of tiles: 16 rows by 16 columns, 32 deep in bf16, 64 deep in bytes.
  const double tileProducts = (double)count * TILE_ROUNDS * 4;
  if (tilesGranted()) {
    results[4] = tileProducts * 16 * 16 * 32 * 2 / tileBf16;
    results[5] = tileProducts * 16 * 16 * 64 * 2 / tileInt8;
  }
#endif
  return 0;
}
