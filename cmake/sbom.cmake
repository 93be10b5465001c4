# What the programs are made of, as a CycloneDX 1.5 list (relay.cdx.json), from the libraries that
# this configuration found. The same each time: the date is that of SOURCE_DATE_EPOCH, if any.

# The version in a header: a macro's quoted text.
function(relay_header_version header macro result)
  set(${result} "" PARENT_SCOPE)
  if(EXISTS ${header})
    file(STRINGS ${header} line REGEX "define ${macro} ")
    if(line MATCHES "\"([^\"]+)\"")
      set(${result} ${CMAKE_MATCH_1} PARENT_SCOPE)
    endif()
  endif()
endfunction()

relay_header_version(${WSLAY_INCLUDE_DIR}/wslay/wslayver.h WSLAY_VERSION wslay_version)
set(llhttp_version "")
file(STRINGS ${LLHTTP_INCLUDE_DIR}/llhttp.h llhttp_lines REGEX "define LLHTTP_VERSION_(MAJOR|MINOR|PATCH) ")
foreach(line IN LISTS llhttp_lines)
  string(REGEX MATCH "[0-9]+$" number "${line}")
  list(APPEND llhttp_numbers ${number})
endforeach()
if(llhttp_numbers)
  list(JOIN llhttp_numbers "." llhttp_version)
endif()

set(sbom_components "")
set(sbom_references "")
function(relay_sbom_add name version license home)
  if(version)
    set(reference "pkg:generic/${name}@${version}")
  else()
    set(reference "pkg:generic/${name}")
  endif()
  set(component "    {
      \"type\": \"library\",
      \"bom-ref\": \"${reference}\",
      \"name\": \"${name}\",
      \"version\": \"${version}\",
      \"purl\": \"${reference}\",
      \"licenses\": [{\"license\": {\"id\": \"${license}\"}}],
      \"externalReferences\": [{\"type\": \"website\", \"url\": \"${home}\"}]
    }")
  if(sbom_components)
    set(component "${sbom_components},\n${component}")
    set(reference "${sbom_references}\", \"${reference}")
  endif()
  set(sbom_components "${component}" PARENT_SCOPE)
  set(sbom_references "${reference}" PARENT_SCOPE)
endfunction()

relay_sbom_add(liburing "${URING_VERSION}" MIT https://github.com/axboe/liburing)
relay_sbom_add(openssl "${OPENSSL_VERSION}" Apache-2.0 https://www.openssl.org)
relay_sbom_add(libjwt "${JWT_VERSION}" MPL-2.0 https://github.com/benmcollins/libjwt)
relay_sbom_add(jansson "${JANSSON_VERSION}" MIT https://github.com/akheron/jansson)
relay_sbom_add(sqlite "${SQLITE_VERSION}" blessing https://www.sqlite.org)
relay_sbom_add(wslay "${wslay_version}" MIT https://github.com/tatsuhiro-t/wslay)
relay_sbom_add(llhttp "${llhttp_version}" MIT https://github.com/nodejs/llhttp)
if(GST_FOUND)
  relay_sbom_add(gstreamer "${GST_gstreamer-1.0_VERSION}" LGPL-2.1-or-later
    https://gstreamer.freedesktop.org)
endif()

string(TIMESTAMP sbom_time "%Y-%m-%dT%H:%M:%SZ" UTC)
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/relay.cdx.json @ONLY CONTENT [[{
  "bomFormat": "CycloneDX",
  "specVersion": "1.5",
  "version": 1,
  "metadata": {
    "timestamp": "@sbom_time@",
    "component": {
      "type": "application",
      "bom-ref": "pkg:generic/relay@@PROJECT_VERSION@",
      "name": "relay",
      "version": "@PROJECT_VERSION@",
      "description": "@PROJECT_DESCRIPTION@",
      "purl": "pkg:generic/relay@@PROJECT_VERSION@",
      "licenses": [{"license": {"id": "MIT"}}]
    }
  },
  "components": [
@sbom_components@
  ],
  "dependencies": [
    {"ref": "pkg:generic/relay@@PROJECT_VERSION@", "dependsOn": ["@sbom_references@"]}
  ]
}
]])
install(FILES ${PROJECT_BINARY_DIR}/relay.cdx.json DESTINATION ${CMAKE_INSTALL_DOCDIR})
