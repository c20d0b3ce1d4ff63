// Kahn's algorithm; among the nodes that are ready the one that comes first in the file is next.
#include "NodeOrder.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/StringSet.h"

#include <queue>

using llvm::StringRef;

namespace moe {

/// Calls `use` for every name that the node reads from the graph it is in: its inputs, and what its subgraphs capture.
static void forEachUse(const wire::Node &node, llvm::function_ref<void(std::string_view)> use) {
  for (std::string_view input : node.inputs)
    if (!input.empty())
      use(input);
  for (const wire::Attribute &attribute : node.attributes)
    for (const wire::Graph &graph : attribute.graph) {
      llvm::StringSet<> own;
      for (const wire::ValueInfo &input : graph.inputs)
        own.insert(StringRef(input.name));
      for (const wire::TensorProto &tensor : graph.initializers)
        own.insert(StringRef(tensor.name));
      for (const wire::Node &inner : graph.nodes)
        for (std::string_view output : inner.outputs)
          own.insert(StringRef(output));
      auto capture = [&](std::string_view name) {
        if (!own.contains(StringRef(name)))
          use(name);
      };
      for (const wire::Node &inner : graph.nodes)
        forEachUse(inner, capture);
      for (const wire::ValueInfo &output : graph.outputs)
        capture(output.name);
    }
}

/// Reports the nodes of a cycle at the one of them that stands first in the file. Every node that still waits has one before it that waits too.
static void reportCycle(llvm::ArrayRef<wire::Node> nodes, const std::vector<std::vector<size_t>> &users, const std::vector<size_t> &waiting,
                        llvm::function_ref<void(size_t, const std::string &)> report) {
  std::vector<size_t> before(nodes.size());
  for (size_t position = 0; position < nodes.size(); ++position)
    for (size_t user : users[position])
      if (waiting[position] != 0)
        before[user] = position;
  size_t place = std::find_if(waiting.begin(), waiting.end(), [](size_t count) { return count != 0; }) - waiting.begin();
  for (size_t step = 0; step < nodes.size(); ++step)
    place = before[place];
  llvm::SmallVector<size_t> cycle = {place};
  for (size_t next = before[place]; next != place; next = before[next])
    cycle.push_back(next);
  std::reverse(cycle.begin(), cycle.end());
  std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
  auto name = [&](size_t position) {
    const wire::Node &node = nodes[position];
    return "'" + (node.name.empty() ? std::string(node.opType) + "#" + std::to_string(position) : std::string(node.name)) + "'";
  };
  constexpr size_t shown = 8;
  std::string message = "the node depends on its own result: the graph has the cycle " + name(cycle.front());
  for (size_t i = 1; i < cycle.size() && i < shown; ++i)
    message += " -> " + name(cycle[i]);
  if (cycle.size() > shown)
    message += " -> … (" + std::to_string(cycle.size()) + " nodes)";
  report(cycle.front(), message + " -> " + name(cycle.front()));
}

std::optional<llvm::SmallVector<size_t>> orderNodes(llvm::ArrayRef<wire::Node> nodes, llvm::function_ref<void(size_t, const std::string &)> report) {
  llvm::StringMap<size_t> producers;
  for (size_t position = 0; position < nodes.size(); ++position)
    for (std::string_view output : nodes[position].outputs)
      if (!output.empty() && !producers.try_emplace(StringRef(output), position).second) {
        report(position, "output '" + std::string(output) + "' is already the output of a node");
        return std::nullopt;
      }
  std::vector<std::vector<size_t>> users(nodes.size());
  std::vector<size_t> waiting(nodes.size());
  for (size_t position = 0; position < nodes.size(); ++position)
    forEachUse(nodes[position], [&](std::string_view name) {
      auto place = producers.find(StringRef(name));
      if (place == producers.end())
        return;
      users[place->second].push_back(position);
      ++waiting[position];
    });
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  for (size_t position = 0; position < nodes.size(); ++position)
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
  if (order.size() != nodes.size()) {
    reportCycle(nodes, users, waiting, report);
    return std::nullopt;
  }
  return order;
}

} // namespace moe
