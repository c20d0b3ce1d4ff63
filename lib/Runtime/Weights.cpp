// Maps model.weights read-only. The file must have exactly the length that model.so was made for: a shorter one would fault inside a kernel.
#include "moe/Runtime/Weights.h"
#include "moe/Machine/ModelInfo.h"
#include "moe/Runtime/Error.h"
#include "moe/Machine/Sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace moe::runtime {

Weights::~Weights() {
  if (!addresses)
    return;
  for (uint32_t s = 0; s < info->numSections; ++s)
    if (addresses[s] && info->sections[s].bytes)
      munmap(const_cast<void *>(addresses[s]), info->sections[s].bytes);
  free(addresses);
}

/// Reads the file through a buffer, not a mapping: a bad disk then is an error and no signal.
static moe_status compareDigest(int file, const char *path, const uint8_t expected[32]) {
  constexpr size_t bufferBytes = 1 << 20;
  char *buffer = static_cast<char *>(malloc(bufferBytes));
  if (!buffer)
    return fail(MOE_STATUS_NO_MEMORY, "no memory to verify %s", path);
  Sha256 hash;
  ssize_t got;
  while ((got = read(file, buffer, bufferBytes)) != 0) {
    if (got > 0)
      hash.update(buffer, size_t(got));
    else if (errno != EINTR)
      break;
  }
  const int error = errno;
  free(buffer);
  if (got < 0)
    return fail(MOE_STATUS_IO, "%s: reading failed: %s", path, strerror(error));
  uint8_t digest[32];
  hash.finish(digest);
  if (memcmp(digest, expected, sizeof(digest)) == 0)
    return MOE_STATUS_OK;
  char expectedText[65], foundText[65];
  formatSha256(expected, expectedText);
  formatSha256(digest, foundText);
  return fail(MOE_STATUS_BAD_ARTIFACT, "%s: expected SHA-256 %s, found %s", path, expectedText, foundText);
}

static moe_status checkFile(int file, const char *path, const ModelInfo &info, bool verify) {
  struct stat attributes;
  if (fstat(file, &attributes) != 0)
    return fail(MOE_STATUS_IO, "%s: %s", path, strerror(errno));
  if (!S_ISREG(attributes.st_mode))
    return fail(MOE_STATUS_BAD_ARTIFACT, "%s: expected a regular file", path);
  if (uint64_t(attributes.st_size) != info.weightsBytes)
    return fail(MOE_STATUS_BAD_ARTIFACT, "%s: expected %" PRIu64 " bytes, found %" PRIu64 "; does it belong to this model.so?", path,
                info.weightsBytes, uint64_t(attributes.st_size));
  return verify ? compareDigest(file, path, info.weightsSha256) : MOE_STATUS_OK;
}

moe_status Weights::mapSections(int file, const char *path, const VersionInfo &version) {
  alignas(64) static const char nothing[64] = {};
  for (uint32_t i = 0; i < version.numSections; ++i) {
    const uint32_t index = version.sections[i];
    const SectionInfo &section = info->sections[index];
    if (addresses[index])
      continue;
    if (section.bytes == 0) {
      addresses[index] = nothing;
      continue;
    }
    void *address = mmap(nullptr, section.bytes, PROT_READ, MAP_PRIVATE, file, off_t(section.offset));
    if (address == MAP_FAILED)
      return fail(errno == ENOMEM ? MOE_STATUS_NO_MEMORY : MOE_STATUS_IO, "%s: cannot map %" PRIu64 " bytes at %" PRIu64 ": %s", path,
                  section.bytes, section.offset, strerror(errno));
    addresses[index] = address;
    madvise(address, section.bytes, MADV_HUGEPAGE); // Advice only: what is not in memory yet is then read in huge pages.
  }
  return MOE_STATUS_OK;
}

moe_status Weights::map(const char *folder, const ModelInfo &model, const VersionInfo &version, bool verify) {
  info = &model;
  addresses = static_cast<const void **>(calloc(model.numSections + size_t(1), sizeof(void *)));
  if (!addresses)
    return fail(MOE_STATUS_NO_MEMORY, "no memory for the table of weight sections");
  if (model.weightsBytes == 0)
    return mapSections(-1, "", version); // All sections are empty.
  char path[PATH_MAX];
  if (snprintf(path, sizeof(path), "%s/model.weights", folder) >= int(sizeof(path)))
    return fail(MOE_STATUS_BAD_ARGUMENT, "the folder's name is longer than %d bytes", PATH_MAX);
  int file;
  do
    file = open(path, O_RDONLY | O_CLOEXEC);
  while (file < 0 && errno == EINTR);
  if (file < 0)
    return fail(errno == ENOENT || errno == ENOTDIR ? MOE_STATUS_BAD_ARTIFACT : MOE_STATUS_IO, "%s: %s", path, strerror(errno));
  moe_status status = checkFile(file, path, model, verify);
  if (status == MOE_STATUS_OK)
    status = mapSections(file, path, version);
  close(file);
  return status;
}

/// Of the pages of experts first … last - 1, those that lie within.
moe_status Weights::dropExperts(const ShardInfo &shard, uint32_t first, uint32_t last) {
  const uint64_t page = weightSectionAlignment;
  const uint64_t begin = (shard.offset + first * shard.expertBytes + page - 1) / page * page;
  const uint64_t end = (shard.offset + last * shard.expertBytes) / page * page;
  if (first == last || begin >= end || !addresses[shard.section])
    return MOE_STATUS_OK;
  char *address = static_cast<char *>(const_cast<void *>(addresses[shard.section])) + begin;
  if (mmap(address, end - begin, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
    return fail(MOE_STATUS_NO_MEMORY, "cannot unmap %" PRIu64 " bytes of weights that other ranks have: %s", end - begin, strerror(errno));
  return MOE_STATUS_OK;
}

moe_status Weights::dropForeign(const Ranks &ranks) {
  if (ranks.count() == 1)
    return MOE_STATUS_OK;
  for (uint32_t i = 0; i < info->numShards; ++i) {
    const ShardInfo &shard = info->shards[i];
    bool *isMine = static_cast<bool *>(calloc(shard.experts, sizeof(bool)));
    if (!isMine)
      return fail(MOE_STATUS_NO_MEMORY, "no memory to sort the weights of ranks");
    for (uint32_t device = 0; device < info->devices; ++device)
      for (uint32_t s = 0; s < shard.slotsPerDevice && ranks.has(device); ++s)
        isMine[shard.slots[(device * shard.slotsPerDevice + s) % shard.numSlots]] = true;
    moe_status status = MOE_STATUS_OK;
    for (uint32_t first = 0; first < shard.experts && status == MOE_STATUS_OK;) {
      uint32_t last = first;
      while (last < shard.experts && !isMine[last])
        ++last;
      status = dropExperts(shard, first, last);
      first = last + 1;
    }
    free(isMine);
    if (status != MOE_STATUS_OK)
      return status;
  }
  return MOE_STATUS_OK;
}

} // namespace moe::runtime
