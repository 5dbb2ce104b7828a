#include "config/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>

namespace switchyard::config {

namespace {

constexpr std::size_t kTextMax = 1 << 20;
constexpr std::size_t kDepthMax = 16;

Place place_of(const YAML::Mark& mark) {
  return {mark.line + 1, mark.column + 1};
}

// Ends the parse: what the library throws itself, so that one handler sees both.
[[noreturn]] void refuse(const YAML::Mark& mark, const std::string& message) {
  throw YAML::ParserException(mark, message);
}

// Builds the tree from the parser's events. The depth is bounded here, before the parser's recursion is deep.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(Document& document, Problems& problems) : document_(document), problems_(problems) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (started_) refuse(mark, "only one YAML document is expected");
    started_ = true;
  }

  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    place(make(Node::Kind::null, mark), anchor, mark);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) refuse(mark, "an alias of something that contains it");
    place(found->second, 0, mark);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_tag(mark, tag);
    Node* node = make(Node::Kind::scalar, mark);
    node->text = value;
    node->quoted = tag == "!";
    place(node, anchor, mark);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Node::Kind::list, mark, tag, anchor);
  }

  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Node::Kind::map, mark, tag, anchor);
  }

  void OnMapEnd() override { close(); }

 private:
  struct Open {
    Node* node;
    YAML::anchor_t anchor;
    YAML::Mark mark;
    bool has_name = false;             // Of a map: a name was read and its value comes next.
    std::optional<Node::Field> field;  // The one to be filled; empty when its name is unusable.
    std::map<std::string, int> lines;  // Of the names so far.
  };

  Node* make(Node::Kind kind, const YAML::Mark& mark) {
    Node& node = document_.nodes.emplace_back();
    node.kind = kind;
    node.place = place_of(mark);
    return &node;
  }

  static void check_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!") refuse(mark, "YAML tags are not supported");
  }

  void open(Node::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    check_tag(mark, tag);
    if (open_.size() >= kDepthMax) refuse(mark, "nested too deeply");
    open_.push_back({make(kind, mark), anchor, mark, false, {}, {}});
  }

  void close() {
    const Open closed = std::move(open_.back());
    open_.pop_back();
    place(closed.node, closed.anchor, closed.mark);
  }

  // A finished node goes into what is open around it.
  void place(Node* node, YAML::anchor_t anchor, const YAML::Mark& mark) {
    if (anchor != 0) anchors_[anchor] = node;
    if (open_.empty()) {
      document_.root = node;
      return;
    }
    Open& parent = open_.back();
    if (parent.node->kind == Node::Kind::list) {
      parent.node->items.push_back(node);
    } else if (!parent.has_name) {
      take_name(parent, *node, place_of(mark));
    } else {
      parent.has_name = false;
      if (!parent.field) return;
      // The parser places what is not there behind it, on the next line.
      if (node->kind == Node::Kind::null) node->place = parent.field->place;
      parent.field->value = node;
      parent.node->fields.push_back(std::move(*parent.field));
    }
  }

  void take_name(Open& parent, const Node& name, Place place) {
    parent.has_name = true;
    parent.field.reset();
    if (name.kind != Node::Kind::scalar) {
      problems_.add(place, "a field's name must be text");
      return;
    }
    const auto [first, is_new] = parent.lines.emplace(name.text, place.line);
    if (is_new) {
      parent.field = Node::Field{name.text, place, nullptr};
    } else {
      problems_.add(place, "duplicate field \"" + name.text.substr(0, 64) + "\"; the first is on line " +
                               std::to_string(first->second));
    }
  }

  Document& document_;
  Problems& problems_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Node*> anchors_;
  bool started_ = false;
};

// The place of the first character that no text file holds. The library would read some of them as its own
// marks.
std::optional<Place> find_control(std::string_view text) {
  Place place{1, 1};
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == '\n') {
      ++place.line;
      place.column = 1;
      continue;
    }
    if ((byte < 0x20 && byte != '\t' && byte != '\r') || byte == 0x7f) return place;
    if ((byte & 0xc0) != 0x80) ++place.column;  // Columns are characters, as the parser counts them.
  }
  return std::nullopt;
}

}  // namespace

const Node* Node::find(std::string_view name) const {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const Field& field) { return field.name == name; });
  return found != fields.end() ? found->value : nullptr;
}

Document parse_yaml(std::string_view text, Problems& problems) {
  Document document;
  if (text.size() > kTextMax) {
    problems.add({}, "larger than 1 MiB");
    return document;
  }
  if (const auto control = find_control(text)) {
    problems.add(*control, "a control character; the file must be plain UTF-8 text");
    return document;
  }
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    TreeBuilder builder(document, problems);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    problems.add(place_of(error.mark), error.msg);
    document.root = nullptr;
  } catch (const std::exception&) {
    problems.add({}, "not YAML");
    document.root = nullptr;
  }
  return document;
}

}  // namespace switchyard::config
