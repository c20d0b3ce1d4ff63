// How moe-compile reads its command line: LLVM's parser, with words of ours.
#ifndef MOE_COMPILE_COMMANDLINE_H
#define MOE_COMPILE_COMMANDLINE_H

#include "llvm/ADT/Twine.h"

/// Prints "moe-compile: error: ..." and gives false.
bool fail(const llvm::Twine &message);

/// Parses the command line. Prints what is wrong, or how the program is called where nothing is asked for, and gives false.
bool parseCommandLine(int argc, char **argv);

#endif // MOE_COMPILE_COMMANDLINE_H
