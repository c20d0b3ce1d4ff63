// SHA-256 against the examples of NIST (FIPS 180-4 test vectors) and in pieces of every size.
#include "moe/Machine/Sha256.h"

#include <gtest/gtest.h>
#include <string>

using namespace moe;

static std::string hashInPieces(const std::string &message, size_t piece, bool instructions = false) {
  Sha256 hash(instructions);
  for (size_t at = 0; at < message.size(); at += piece)
    hash.update(message.data() + at, std::min(piece, message.size() - at));
  uint8_t digest[32];
  hash.finish(digest);
  char text[65];
  formatSha256(digest, text);
  return text;
}

TEST(Sha256, NistVectors) {
  EXPECT_EQ(hashInPieces("", 1), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hashInPieces("abc", 3), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hashInPieces("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 100),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hashInPieces(std::string(1000000, 'a'), 4096), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, InstructionsGiveTheSame) {
  if (!hasSha256Instructions())
    GTEST_SKIP() << "this CPU has no instructions for SHA-256";
  EXPECT_EQ(hashInPieces("abc", 3, true), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hashInPieces(std::string(1000000, 'a'), 4096, true), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  std::string message;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(hashInPieces(message, 77, true), hashInPieces(message, 77)) << "of " << i << " bytes";
    message.push_back(char(i * 11 + 3));
  }
}

// LLVM's own class counts bits in 32 bits: digests of larger files were wrong, and their artifacts could not be verified.
TEST(Sha256, MoreThanHalfAGigabyte) {
  const std::string piece(1 << 20, '\0');
  Sha256 hash;
  for (int i = 0; i < 600; ++i)
    hash.update(piece.data(), piece.size());
  uint8_t digest[32];
  hash.finish(digest);
  char text[65];
  formatSha256(digest, text);
  EXPECT_STREQ(text, "987523e7780392e283b404990c4e84e580bc75c451138b0c86c4f81c296eeebe"); // sha256sum of so many zeros
}

TEST(Sha256, PiecesDoNotMatter) {
  std::string message;
  for (int i = 0; i < 300; ++i)
    message.push_back(char(i * 7));
  const std::string whole = hashInPieces(message, message.size());
  for (size_t piece = 1; piece < 130; ++piece)
    EXPECT_EQ(hashInPieces(message, piece), whole) << "pieces of " << piece;
}
