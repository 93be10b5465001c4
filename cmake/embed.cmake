# relay_embed(name file): the bytes of a text file as a C array, in
# generated/embedded/<name>.h, made anew when the file changes.
function(relay_embed name file)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} bytes HEX)
  string(REGEX REPLACE "(................................)" "\\1\n    " bytes "${bytes}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/embedded/${name}.h CONTENT
"/* Made from ${file}. */
#pragma once

static const char ${name}[] = {
    ${bytes}
};
" @ONLY)
endfunction()
