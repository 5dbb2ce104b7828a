#pragma once

#include <string_view>

namespace switchyard::probing {

// What probes are written with.

inline constexpr std::string_view kNames[] = {
    "Amara",  "Bjorn",  "Camille", "Dmitri", "Elena", "Farid", "Greta",   "Hiro",    "Ines",  "Jonas",
    "Kavya",  "Liam",   "Mirela",  "Noor",   "Oskar", "Priya", "Quentin", "Rosa",    "Sami",  "Tomas",
    "Ursula", "Viktor", "Wanda",   "Ximena", "Yusuf", "Zofia", "Anton",   "Beatriz", "Chidi", "Dalia",
    "Emil",   "Fatima", "Goran",   "Hanna",  "Ilya",  "Jana",  "Kofi",    "Leila",   "Marek", "Nadia"};

inline constexpr std::string_view kSurnames[] = {
    "Abbott", "Brandt", "Castillo", "Dvorak", "Eriksen", "Fontaine", "Gallo",  "Haddad",  "Ivanov",
    "Jensen", "Keller", "Lindt",    "Moreau", "Novak",   "Okafor",   "Petrov", "Quiroga", "Rossi",
    "Sato",   "Tanaka", "Ueda",     "Vargas", "Weber",   "Xanthos",  "Yilmaz", "Zeman"};

inline constexpr std::string_view kCities[] = {
    "Lisbon", "Porto",   "Ghent", "Basel", "Turin",    "Krakow", "Tartu",  "Bergen", "Malmo",  "Leipzig",
    "Graz",   "Maribor", "Split", "Varna", "Valencia", "Cork",   "Dundee", "Nantes", "Aarhus", "Utrecht"};

inline constexpr std::string_view kThings[] = {
    "lamp",     "chair",   "desk",     "kettle",  "bicycle", "helmet",  "lantern", "blanket",
    "radio",    "mirror",  "hammer",   "ladder",  "bucket",  "compass", "teapot",  "cushion",
    "speaker",  "charger", "tripod",   "printer", "scanner", "router",  "monitor", "toolbox",
    "backpack", "thermos", "notebook", "stapler", "whistle", "magnet"};

inline constexpr std::string_view kTopics[] = {"gardens",   "harbours", "trains",    "winter",  "bread",
                                               "music",     "rivers",   "markets",   "chess",   "mountains",
                                               "clouds",    "bridges",  "pottery",   "camping", "rowing",
                                               "libraries", "birds",    "festivals", "coffee",  "maps"};

inline constexpr std::string_view kPlainWords[] = {
    "a",     "the",    "we",    "they",   "old",    "new",   "big",   "small", "dog",    "cat",
    "sun",   "moon",   "rain",  "snow",   "road",   "house", "tree",  "stone", "water",  "fire",
    "runs",  "sits",   "looks", "waits",  "stands", "grows", "falls", "sings", "turns",  "rests",
    "near",  "under",  "over",  "from",   "into",   "along", "past",  "after", "before", "until",
    "quiet", "warm",   "cold",  "bright", "dark",   "slow",  "green", "white", "black",  "grey",
    "and",   "or",     "but",   "so",     "again",  "soon",  "today", "often", "here",   "there",
    "child", "friend", "boat",  "garden", "window", "door",  "table", "bread", "song",   "story",
    "holds", "keeps",  "finds", "makes",  "brings", "takes", "gives", "likes", "visits", "paints"};

inline constexpr std::string_view kListWords[] = {
    "anchor", "basil",  "candle", "dragon", "ember",  "fossil", "ginger", "hazel",  "indigo", "jasmine",
    "kernel", "lemon",  "marble", "nectar", "orchid", "pepper", "quartz", "raven",  "saddle", "timber",
    "umbra",  "velvet", "walnut", "yarrow", "zephyr", "acorn",  "bronze", "copper", "daisy",  "elbow",
    "falcon", "garnet", "helium", "ivory",  "jungle", "kiosk",  "lagoon", "meadow", "noodle", "oyster",
    "pebble", "quiver", "rocket", "sierra", "tunnel", "uncle",  "violet", "willow", "yogurt", "zinc"};

}  // namespace switchyard::probing
