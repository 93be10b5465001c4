# One cache variable, applied to everything so that no object escapes it.
if(RELAY_SANITIZE)
  string(REPLACE ";" "," relay_sanitize_list "${RELAY_SANITIZE}")
  add_compile_options(-fsanitize=${relay_sanitize_list} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${relay_sanitize_list})
endif()
if(RELAY_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "RELAY_FUZZ needs clang: configure with CC=clang or the fuzz preset")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
