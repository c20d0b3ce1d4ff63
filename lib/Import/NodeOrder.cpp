// Kahn's algorithm; among the nodes that are ready the one that comes first in the file is next.
#include "NodeOrder.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"

#include <queue>

using llvm::StringRef;

namespace moe {

std::optional<llvm::SmallVector<size_t>> orderNodes(const wire::Graph &graph, llvm::function_ref<void(size_t, const std::string &)> report) {
  llvm::StringMap<size_t> producers;
  for (size_t position = 0; position < graph.nodes.size(); ++position)
    for (std::string_view output : graph.nodes[position].outputs)
      if (!output.empty() && !producers.try_emplace(StringRef(output), position).second) {
        report(position, "output '" + std::string(output) + "' is already the output of a node");
        return std::nullopt;
      }
  std::vector<std::vector<size_t>> users(graph.nodes.size());
  std::vector<size_t> waiting(graph.nodes.size());
  for (size_t position = 0; position < graph.nodes.size(); ++position)
    for (std::string_view input : graph.nodes[position].inputs)
      if (auto place = producers.find(StringRef(input)); !input.empty() && place != producers.end()) {
        users[place->second].push_back(position);
        ++waiting[position];
      }
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  for (size_t position = 0; position < graph.nodes.size(); ++position)
    if (waiting[position] == 0)
      ready.push(position);
  llvm::SmallVector<size_t> order;
  while (!ready.empty()) {
    size_t position = ready.top();
    ready.pop();
    order.push_back(position);
    for (size_t user : users[position])
      if (--waiting[user] == 0)
        ready.push(user);
  }
  for (size_t position = 0; position < graph.nodes.size() && order.size() != graph.nodes.size(); ++position)
    if (waiting[position] != 0) {
      report(position, "the node depends on its own result: the graph has a cycle");
      return std::nullopt;
    }
  return order;
}

} // namespace moe
