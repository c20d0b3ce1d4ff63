// What the driver takes from an image of kernels: the one code of it that the device runs.
#ifndef MOE_LIB_CODEGEN_CUDA_SIMT_IMAGES_H
#define MOE_LIB_CODEGEN_CUDA_SIMT_IMAGES_H

#include "Driver.h"

namespace moe::simt {

/// The code that a device takes, PTX or machine code. Empty: it is compressed, so nobody can look.
struct ImageCode {
  std::string bytes;
  bool isMachineCode = false;

  /// Whether it has a kernel of that name, as far as one can see.
  bool hasKernel(const std::string &name) const;
};

struct LoadedLibrary {
  ImageCode code;
  std::map<std::string, std::unique_ptr<Kernel>> kernels;
};

/// Finds in `image` (a fatbin, PTX or machine code) what a device of `arch` (90 is 9.0) runs: machine code of the same major number that is not newer, else PTX that is
/// not newer; what is for one architecture alone (sm_90a) on that one.
CUresult chooseCode(const void *image, unsigned arch, ImageCode &code);

} // namespace moe::simt

#endif // MOE_LIB_CODEGEN_CUDA_SIMT_IMAGES_H
