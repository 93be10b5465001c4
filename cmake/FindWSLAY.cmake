# wslay: found by header and library, since Debian's package brings no pkg-config file.
find_path(WSLAY_INCLUDE_DIR wslay/wslay.h)
find_library(WSLAY_LIBRARY NAMES wslay)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(WSLAY REQUIRED_VARS WSLAY_LIBRARY WSLAY_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "install libwslay-dev")
if(WSLAY_FOUND AND NOT TARGET WSLAY::wslay)
  add_library(WSLAY::wslay UNKNOWN IMPORTED)
  set_target_properties(WSLAY::wslay PROPERTIES IMPORTED_LOCATION ${WSLAY_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${WSLAY_INCLUDE_DIR})
endif()
mark_as_advanced(WSLAY_INCLUDE_DIR WSLAY_LIBRARY)
