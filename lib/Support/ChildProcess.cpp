// posix_spawn, a pipe for what the child prints, and a deadline on one clock for both the pipe and the child's end.
#include "moe/Support/ChildProcess.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

extern char **environ;

namespace moe {

namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t keptOutput = 64 << 10;

/// Milliseconds until `deadline`, at least 0.
int millisecondsUntil(Clock::time_point deadline) {
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::max<int64_t>(0, std::min<int64_t>(left, 1 << 30)));
}

ChildResult notStarted(llvm::StringRef what, int error) {
  ChildResult result;
  result.output = (what + ": " + std::strerror(error)).str();
  return result;
}

/// Starts the child with standard error on `output`, and standard output there or in the file `path`. Zero, or errno.
int spawn(const std::string &program, std::vector<char *> &arguments, int output, const std::string &path, pid_t &child) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  if (path.empty())
    posix_spawn_file_actions_adddup2(&actions, output, 1);
  else
    posix_spawn_file_actions_addopen(&actions, 1, path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, output, 2);
  // The caller may block or ignore signals; the child starts afresh.
  sigset_t none, defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  sigaddset(&defaults, SIGINT);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  int error = posix_spawn(&child, program.c_str(), &actions, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

/// Reads until the pipe closes or the deadline passes; keeps the end.
void readOutput(int pipe, Clock::time_point deadline, std::string &output) {
  char buffer[4096];
  for (;;) {
    pollfd wait = {pipe, POLLIN, 0};
    int ready = poll(&wait, 1, millisecondsUntil(deadline));
    if (ready < 0 && errno == EINTR)
      continue;
    if (ready <= 0)
      return;
    ssize_t count = read(pipe, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return;
    output.append(buffer, count);
    if (output.size() > 2 * keptOutput)
      output.erase(0, output.size() - keptOutput);
  }
}

/// Waits for the end; kills at the deadline.
void waitForEnd(pid_t child, Clock::time_point deadline, unsigned timeoutSeconds, ChildResult &result) {
  bool killed = false;
  auto pause = std::chrono::microseconds(100);
  for (;;) {
    int status = 0;
    pid_t ended = waitpid(child, &status, killed ? 0 : WNOHANG);
    if (ended < 0 && errno == EINTR)
      continue;
    if (ended < 0) {
      result.output += "cannot wait for the process: " + std::string(std::strerror(errno));
      return;
    }
    if (ended == child) {
      result.ending = killed ? ChildResult::TimedOut : WIFSIGNALED(status) ? ChildResult::Signalled : ChildResult::Exited;
      result.code = killed ? static_cast<int>(timeoutSeconds) : WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
      return;
    }
    if (Clock::now() >= deadline) {
      kill(child, SIGKILL);
      killed = true;
      continue;
    }
    // Reached only after the child has closed its output: it is about to end, or it hangs.
    std::this_thread::sleep_for(pause);
    pause = std::min<std::chrono::microseconds>(pause * 2, std::chrono::milliseconds(20));
  }
}

} // namespace

ChildResult runChild(llvm::StringRef program, llvm::ArrayRef<std::string> arguments, unsigned timeoutSeconds, llvm::StringRef standardOutput) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return notStarted("cannot make a pipe", errno);
  std::vector<std::string> texts = {program.str()};
  texts.insert(texts.end(), arguments.begin(), arguments.end());
  std::vector<char *> pointers;
  for (std::string &text : texts)
    pointers.push_back(text.data());
  pointers.push_back(nullptr);

  pid_t child = 0;
  int error = spawn(texts.front(), pointers, ends[1], standardOutput.str(), child);
  close(ends[1]);
  if (error) {
    close(ends[0]);
    return notStarted("cannot start " + texts.front(), error);
  }
  Clock::time_point deadline = Clock::now() + std::chrono::seconds(timeoutSeconds);
  ChildResult result;
  readOutput(ends[0], deadline, result.output);
  waitForEnd(child, deadline, timeoutSeconds, result);
  close(ends[0]);
  if (result.output.size() > keptOutput)
    result.output.erase(0, result.output.size() - keptOutput);
  return result;
}

} // namespace moe
