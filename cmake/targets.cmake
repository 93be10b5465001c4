# No test has to be fast: each waits for events, with a deadline for the next one, and each test of a
# program is ended when it hangs. This is for what escapes even that, on the slowest of machines.
set(RELAY_BACKSTOP_S 2400)
set(RELAY_TEST_HANGS_S 600) # one test of a Criterion program

# One line per module. Sources are globbed so that a new file needs no edit elsewhere.

# relay_library(name [SUBDIRS dir...] DEPENDS target... [WITHOUT file...]): the static library
# relay_<name> of one layer.
function(relay_library name)
  cmake_parse_arguments(ARG "" "" "SUBDIRS;DEPENDS;WITHOUT" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  foreach(dir IN LISTS ARG_SUBDIRS)
    file(GLOB more CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${dir}/*.c)
    list(APPEND sources ${more})
  endforeach()
  foreach(file IN LISTS ARG_WITHOUT)
    list(REMOVE_ITEM sources ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  endforeach()
  add_library(relay_${name} STATIC ${sources})
  target_link_libraries(relay_${name} PUBLIC ${ARG_DEPENDS} PRIVATE relay_warnings)
  target_include_directories(relay_${name} PUBLIC ${PROJECT_SOURCE_DIR})
endfunction()

# relay_unit_tests(folder DEPENDS target... [WITHOUT regex] [ENVIRONMENT variable...]): one Criterion
# program per tests/unit/<folder>/**/x_test.c.
function(relay_unit_tests folder)
  cmake_parse_arguments(ARG "" "WITHOUT" "DEPENDS;ENVIRONMENT" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/unit/${folder}/*_test.c)
  if(ARG_WITHOUT)
    list(FILTER sources EXCLUDE REGEX ${ARG_WITHOUT})
  endif()
  foreach(source IN LISTS sources)
    file(RELATIVE_PATH path ${CMAKE_CURRENT_SOURCE_DIR}/unit ${source})
    string(REGEX REPLACE "_test\\.c$" "" name ${path})
    string(REPLACE "/" "_" target unit_${name})
    add_executable(${target} ${source})
    target_link_libraries(${target} PRIVATE ${ARG_DEPENDS} ${RELAY_CRITERION} relay_warnings)
    add_test(NAME unit/${name} COMMAND ${target} --timeout ${RELAY_TEST_HANGS_S})
    set_tests_properties(unit/${name} PROPERTIES LABELS unit TIMEOUT ${RELAY_BACKSTOP_S}
      ENVIRONMENT "${ARG_ENVIRONMENT}")
  endforeach()
endfunction()

# relay_python_tests(folder LABELS label...): one unittest program per tests/<folder>/test_*.py.
# Exit status 77 is a skip; the program prints the reason.
function(relay_python_tests folder)
  cmake_parse_arguments(ARG "" "" "LABELS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/test_*.py)
  foreach(source IN LISTS sources)
    get_filename_component(name ${source} NAME_WE)
    string(REGEX REPLACE "^test_" "" name ${name})
    add_test(NAME ${folder}/${name} COMMAND ${RELAY_PYTHON} ${source})
    set_tests_properties(${folder}/${name} PROPERTIES
      LABELS "${ARG_LABELS}" TIMEOUT ${RELAY_BACKSTOP_S} SKIP_RETURN_CODE 77
      ENVIRONMENT "RELAY_BUILD=${PROJECT_BINARY_DIR};RELAY_SOURCE=${PROJECT_SOURCE_DIR};PYTHONPATH=${PROJECT_SOURCE_DIR}/tests/support;PYTHONDONTWRITEBYTECODE=1")
  endforeach()
endfunction()
