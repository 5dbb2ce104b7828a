#pragma once

#include "gateway/store/database.h"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>

namespace switchyard::store::test {

// A folder of its own for each test, gone with it.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "switchyard-store-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("no folder for the test");
    path_ = name;
  }

  ~Folder() { std::filesystem::remove_all(path_); }

  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string file(const std::string& name = "ledger.db") const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// A response that says which it is.
inline Entry entry(const std::string& id, std::string previous = {}, std::int64_t created_s = 1000,
                   std::string key = "app") {
  Entry made;
  made.id = id;
  made.key = std::move(key);
  made.previous = std::move(previous);
  made.model = "m";
  made.created_s = created_s;
  made.input = "[{\"in\":\"" + id + "\"}]";
  made.output = "[{\"out\":\"" + id + "\"}]";
  made.response = "{\"id\":\"" + id + "\"}";
  return made;
}

}  // namespace switchyard::store::test
