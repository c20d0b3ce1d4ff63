// ONNX test data: which file belongs to which tensor of the model.
#include "TestData.h"
#include "Failure.h"
#include "Files.h"
#include "moe/Import/Wire/TensorProto.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <map>
#include <memory>

namespace moe::run {

Array parseTensorFile(const std::vector<unsigned char> &file, const std::string &path, std::string &name) {
  wire::WireError error;
  std::optional<wire::TensorData> tensor = wire::parseTensor({file.data(), file.size()}, error);
  if (!tensor)
    throw Failure(path + ": " + error.str());
  if (tensor->external)
    throw Failure(path + ": expected the elements in the file, found a reference to external data");
  const ElementType *type = findOnnxType(int32_t(tensor->dataType));
  if (!type)
    throw Failure(path + ": elements of type " + wire::dataTypeName(tensor->dataType) + " are not supported");
  Array array;
  array.dtype = type->dtype;
  array.shape = tensor->dims;
  // ONNX packs elements of less than 8 bits, the first in the lowest bits; of moe-run's arrays each has a byte.
  const int64_t count = countElements(array.shape, array.dtype, path), bits = array.dtype.bits;
  const int64_t bytes = (count * bits + 7) / 8;
  if (size_t(bytes) != tensor->size)
    throw Failure(path + ": expected " + std::to_string(bytes) + " bytes for the shape " + shapeName(array.shape) + ", found " +
                  std::to_string(tensor->size));
  if (bytes && bits >= 8)
    array.bytes.assign(tensor->data, tensor->data + bytes);
  for (int64_t i = 0; bits < 8 && i < count; ++i) {
    const int64_t bit = i * bits, next = bit / 8 + 1;
    const unsigned two = tensor->data[bit / 8] | (next < bytes ? unsigned(tensor->data[next]) << 8 : 0);
    array.bytes.push_back(uint8_t((two >> bit % 8) & ((1u << bits) - 1)));
  }
  name = std::string(tensor->name);
  return array;
}

/// The number of `<kind>_<number>.pb`, -1 for any other name.
static int64_t fileNumber(const std::string &file, const std::string &kind) {
  const size_t begin = kind.size() + 1, end = file.size() - 3;
  if (file.size() < begin + 4 || file.compare(0, begin, kind + "_") != 0 || file.compare(end, 3, ".pb") != 0 || end - begin > 6)
    return -1;
  int64_t number = 0;
  for (size_t at = begin; at < end; ++at) {
    if (file[at] < '0' || file[at] > '9')
      return -1;
    number = number * 10 + (file[at] - '0');
  }
  return number;
}

/// The files of a kind by their number.
static std::map<int64_t, std::string> listFiles(const std::string &folder, const std::string &kind) {
  std::unique_ptr<DIR, int (*)(DIR *)> directory(opendir(folder.c_str()), closedir);
  if (!directory)
    throw Failure(folder + ": " + std::strerror(errno));
  std::map<int64_t, std::string> files;
  while (const dirent *entry = readdir(directory.get()))
    if (int64_t number = fileNumber(entry->d_name, kind); number >= 0 && !files.emplace(number, folder + "/" + entry->d_name).second)
      throw Failure(folder + ": two files for " + kind + " " + std::to_string(number));
  return files;
}

Slots readTestData(const std::string &folder, const std::string &kind, const std::vector<std::string> &names) {
  struct Unnamed {
    int64_t number;
    std::string path, name;
    Array array;
  };
  Slots slots(names.size());
  std::vector<std::string> takenBy(names.size());
  std::vector<Unnamed> rest;
  for (const auto &[number, path] : listFiles(folder, kind)) {
    std::string name;
    Array array = parseTensorFile(readFile(path), path, name);
    const size_t slot = size_t(std::find(names.begin(), names.end(), name) - names.begin());
    if (name.empty() || slot == names.size()) {
      rest.push_back({number, path, name, std::move(array)});
      continue;
    }
    if (slots[slot])
      throw Failure(path + ": the " + kind + " '" + name + "' is already in " + takenBy[slot]);
    slots[slot] = std::move(array);
    takenBy[slot] = path;
  }
  for (Unnamed &file : rest) {
    const std::string called = file.name.empty() ? "a tensor without name" : "the tensor '" + file.name + "'";
    if (size_t(file.number) >= names.size())
      throw Failure(file.path + ": holds " + called + ", but the model has only " + std::to_string(names.size()) + " " + kind + "s");
    if (slots[size_t(file.number)])
      throw Failure(file.path + ": holds " + called + "; " + kind + " " + std::to_string(file.number) + " of the model, '" +
                    names[size_t(file.number)] + "', is already in " + takenBy[size_t(file.number)]);
    takenBy[size_t(file.number)] = file.path;
    slots[size_t(file.number)] = std::move(file.array);
  }
  return slots;
}

} // namespace moe::run
