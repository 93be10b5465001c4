# Everything comes from the distribution's packages; scripts/setup.sh installs them.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(URING REQUIRED IMPORTED_TARGET liburing>=2.3)
pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET openssl>=3.0)
pkg_check_modules(JWT REQUIRED IMPORTED_TARGET libjwt>=1.10)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
find_package(LLHTTP REQUIRED)
find_package(WSLAY REQUIRED)

# Optional parts: what is missing is left out, and the summary says so.
if(RELAY_GST)
  pkg_check_modules(GST IMPORTED_TARGET gstreamer-1.0>=1.18 gstreamer-base-1.0>=1.18)
  pkg_check_modules(GSTCHECK IMPORTED_TARGET gstreamer-check-1.0>=1.18)
endif()
if(RELAY_TESTS)
  pkg_check_modules(CRITERION IMPORTED_TARGET criterion)
  find_program(RELAY_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)
endif()
