# The warning set of every target of ours; RELAY_WERROR (on in CI presets) turns them into errors.
add_library(relay_warnings INTERFACE)
target_compile_options(relay_warnings INTERFACE
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
  -Wwrite-strings -Wvla -Wformat=2 -Wundef -Wswitch -Wimplicit-fallthrough -Wnull-dereference
  -Wno-unused-parameter -fno-common -fstack-protector-strong
  $<$<BOOL:${RELAY_WERROR}>:-Werror>
  # clang also counts the casts inside OpenSSL's macros, so cast-qual is gcc's to find.
  $<$<C_COMPILER_ID:GNU>:-Wlogical-op -Wduplicated-cond -Wcast-qual>
  $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=2>)
target_compile_definitions(relay_warnings INTERFACE _GNU_SOURCE)
# On machines of 32 bits, folders of large disks, files above 2 GiB, and times after 2038.
if(CMAKE_SIZEOF_VOID_P EQUAL 4)
  target_compile_definitions(relay_warnings INTERFACE _FILE_OFFSET_BITS=64 _TIME_BITS=64)
endif()
target_include_directories(relay_warnings INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
