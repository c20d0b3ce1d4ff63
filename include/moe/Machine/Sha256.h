//===- Sha256.h - SHA-256 of FIPS 180-4 -------------------------*- C++ -*-===//
// Packaging hashes model.weights with it and the runtime checks that; own code because model.so may need nothing but libc, and because it uses the
// processor's instructions for it, without which hashing takes longer than packing.
#ifndef MOE_MACHINE_SHA256_H
#define MOE_MACHINE_SHA256_H

#include <stddef.h>
#include <stdint.h>

namespace moe {

/// True if this CPU has instructions for SHA-256 and they are in use.
bool hasSha256Instructions();

/// Hashes a stream of bytes given in any pieces.
class Sha256 {
public:
  Sha256() : Sha256(hasSha256Instructions()) {}
  /// For tests: with the instructions, which the CPU must have, or without.
  explicit Sha256(bool instructions) : instructions(instructions) {}

  /// Appends `bytes` bytes to the message.
  void update(const void *data, size_t bytes);

  /// Ends the message and writes its digest. The object must not be used after.
  void finish(uint8_t digest[32]);

private:
  void compress(const uint8_t *blocks, size_t count);

  uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  const bool instructions;
  uint64_t length = 0; ///< Bytes so far.
  uint8_t pending[64]; ///< The length % 64 bytes that do not fill a block yet.
};

/// Writes a digest as 64 lower-case hexadecimal digits and a NUL.
void formatSha256(const uint8_t digest[32], char text[65]);

} // namespace moe

#endif // MOE_MACHINE_SHA256_H
