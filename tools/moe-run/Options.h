//===- Options.h - the command line of moe-run ------------------*- C++ -*-===//
#ifndef MOE_RUN_OPTIONS_H
#define MOE_RUN_OPTIONS_H

#include "Compare.h"
#include "Session.h"

#include <map>
#include <vector>

namespace moe::run {

/// What the command line asks for.
struct Options {
  std::string folder;                        ///< The artifact.
  std::string testData;                      ///< Empty: none.
  std::map<std::string, std::string> inputs; ///< Name of an input to its .npy file.
  std::string mesh;                          ///< With --calibrate: the axes; empty: hosts and their ranks.
  std::string output;                        ///< With --calibrate: the file to write.
  std::string recordLoad;                    ///< File for the loads of experts; empty: none.
  std::string outputDir;                     ///< Empty: write nothing.
  std::map<std::string, int64_t> dims;       ///< Symbol to size, for inputs of zeros.
  Tolerance tolerance;
  SessionOptions session;
  bool bench = false, calibrate = false, info = false, json = false, inPlace = false, help = false, version = false;
  double benchSeconds = 2; ///< Length of the measurement.
  std::vector<std::string> given; ///< Names of the options on the command line, in order.
};

/// The text of --help, and what is printed where nothing is asked for.
extern const char *const helpText;
extern const char *const usageText;

/// Parses the command line. Throws a Failure that names the option.
Options parseOptions(int argc, char **argv);

} // namespace moe::run

#endif // MOE_RUN_OPTIONS_H
