# Every option a builder may set, in one place.
option(RELAY_WERROR "Treat warnings as errors" OFF)
option(RELAY_SERVER "Build what a relay's own machine needs: relay serve, token and monitor, relay-bench" ON)
option(RELAY_HOST "Build relay host" ON)
option(RELAY_GST "Build the GStreamer plugin when GStreamer is found" ON)
option(RELAY_PROBES "Build the static probes (USDT) when sys/sdt.h is found" ON)
option(RELAY_TESTS "Build the tests" ON)
option(RELAY_FUZZ "Build the libFuzzer targets (clang only)" OFF)
set(RELAY_SANITIZE "" CACHE STRING "Sanitizers: empty, address;undefined or thread")
# Empty in the cache, so that another prefix, and with it another LIBDIR, is followed.
set(GST_PLUGIN_INSTALL_DIR "" CACHE STRING
    "Where the GStreamer plugin is installed, relative to the prefix or absolute; empty: LIBDIR/gstreamer-1.0")
set(RELAY_ZSH_DIR share/zsh/site-functions CACHE STRING
    "Where the completion for zsh is installed, relative to the prefix or absolute")

# The server counts on addresses and atomics of 64 bits; what stands at experiments does not.
set(RELAY_SERVER_WANTS_64_BITS OFF)
if(RELAY_SERVER AND CMAKE_SIZEOF_VOID_P LESS 8)
  set(RELAY_SERVER_WANTS_64_BITS ON)
  set(RELAY_SERVER OFF)
endif()

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g3 -fno-omit-frame-pointer")
