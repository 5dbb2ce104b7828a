#pragma once

#include <boost/system/result.hpp>

#include <string>
#include <utility>

namespace switchyard::local {

// Why something could not be loaded: a sentence that names the tensor, the metadata key or the path.
struct Failure {
  std::string message;
};

template <class T = void>
using Result = boost::system::result<T, Failure>;

inline Failure fail(std::string message) {
  return Failure{std::move(message)};
}

}  // namespace switchyard::local
