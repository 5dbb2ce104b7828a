#pragma once

// The headers that every socket-touching file pays for; compiled once (gateway/CMakeLists.txt).
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>
