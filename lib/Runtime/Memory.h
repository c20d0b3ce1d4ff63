//===- Memory.h - objects from malloc ---------------------------*- C++ -*-===//
// model.so must not need operator new, which lives in libstdc++ and throws. Objects come from malloc and may fail to come.
#ifndef MOE_LIB_RUNTIME_MEMORY_H
#define MOE_LIB_RUNTIME_MEMORY_H

#include <new>
#include <stdlib.h>
#include <string.h>
#include <utility>

namespace moe::runtime {

/// A new T, null without memory.
template <typename T, typename... Arguments> T *createObject(Arguments &&...arguments) {
  void *memory = nullptr;
  if (posix_memalign(&memory, alignof(T) < sizeof(void *) ? sizeof(void *) : alignof(T), sizeof(T)) != 0)
    return nullptr;
  return new (memory) T(std::forward<Arguments>(arguments)...);
}

/// Ends an object of createObject.
template <typename T> void destroyObject(T *object) {
  object->~T();
  free(object);
}

/// A zeroed array, null without memory; never null for zero items. Freed with free().
template <typename T> T *allocateArray(size_t items) { return static_cast<T *>(calloc(items ? items : 1, sizeof(T))); }

/// memcpy, which must not be given a null pointer even for no bytes: a tensor without rows has no address.
inline void copyBytes(void *to, const void *from, size_t bytes) {
  if (bytes > 0)
    memcpy(to, from, bytes);
}

} // namespace moe::runtime

#endif // MOE_LIB_RUNTIME_MEMORY_H
