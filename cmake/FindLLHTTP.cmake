# llhttp: the development package where there is one (Debian 13: libllhttp-dev), else the C sources
# that Debian 12's node-llhttp installs, compiled here and never copied into the repository.
find_path(LLHTTP_INCLUDE_DIR llhttp.h PATH_SUFFIXES llhttp PATHS /usr/share/include)
find_library(LLHTTP_LIBRARY NAMES llhttp)
find_path(LLHTTP_SOURCE_DIR llhttp.c PATHS /usr/share/llhttp /usr/share/nodejs/llhttp/src)
include(FindPackageHandleStandardArgs)
if(LLHTTP_LIBRARY)
  find_package_handle_standard_args(LLHTTP REQUIRED_VARS LLHTTP_LIBRARY LLHTTP_INCLUDE_DIR)
else()
  find_package_handle_standard_args(LLHTTP REQUIRED_VARS LLHTTP_SOURCE_DIR LLHTTP_INCLUDE_DIR
    REASON_FAILURE_MESSAGE "install libllhttp-dev (Debian 13, Ubuntu) or node-llhttp (Debian 12)")
endif()
if(LLHTTP_FOUND AND NOT TARGET LLHTTP::llhttp)
  if(LLHTTP_LIBRARY)
    add_library(LLHTTP::llhttp UNKNOWN IMPORTED)
    set_target_properties(LLHTTP::llhttp PROPERTIES IMPORTED_LOCATION ${LLHTTP_LIBRARY}
      INTERFACE_INCLUDE_DIRECTORIES ${LLHTTP_INCLUDE_DIR})
  else()
    add_library(relay_llhttp STATIC ${LLHTTP_SOURCE_DIR}/llhttp.c ${LLHTTP_SOURCE_DIR}/http.c
      ${LLHTTP_SOURCE_DIR}/api.c)
    target_include_directories(relay_llhttp SYSTEM PUBLIC ${LLHTTP_INCLUDE_DIR})
    target_compile_definitions(relay_llhttp PUBLIC LLHTTP_STRICT_MODE=1)
    target_compile_options(relay_llhttp PRIVATE -w)
    add_library(LLHTTP::llhttp ALIAS relay_llhttp)
  endif()
endif()
mark_as_advanced(LLHTTP_INCLUDE_DIR LLHTTP_LIBRARY LLHTTP_SOURCE_DIR)
