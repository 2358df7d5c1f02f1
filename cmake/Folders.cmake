# Each folder of the source tree is one library, made of all the .cc files in it.
#
# A folder's headers are seen through a link of their own (build/include/<folder>/<folder>), which only its target exports:
# "#include "net/stream.h"" finds nothing unless the including target links `net`, directly or through what it links. So
# the build refuses an include against the direction that ARCHITECTURE.md draws.

# fairlead_folder(NAME DEPENDS target... [PRECOMPILE header...])
#
# PRECOMPILE is for headers that take seconds to read and that most files of the folder need: protobuf's and gRPC's, and
# of the folders below what these files see of them anyway.
function(fairlead_folder name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;PRECOMPILE" ${ARGN})
  set(view ${CMAKE_BINARY_DIR}/include/${name})
  file(MAKE_DIRECTORY ${view})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${view}/${name} SYMBOLIC)
  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  list(FILTER sources EXCLUDE REGEX "/main\\.cc$")
  if(sources)
    add_library(${name} STATIC ${sources})
    target_include_directories(${name} PUBLIC ${view})
    target_link_libraries(${name} PUBLIC ${ARG_DEPENDS})
    if(ARG_PRECOMPILE)
      target_precompile_headers(${name} PRIVATE ${ARG_PRECOMPILE})
    endif()
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${view})
    target_link_libraries(${name} INTERFACE ${ARG_DEPENDS})
  endif()
endfunction()

# fairlead_tests(NAME DEPENDS target... [PRECOMPILE header...]): all the .cc files of this folder as one GoogleTest program,
# each test one of ctest. PRECOMPILE is for what most of them include, beside GoogleTest.
function(fairlead_tests name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;PRECOMPILE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  if(NOT sources)
    return()
  endif()
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} GTest::gmock GTest::gtest_main)
  target_precompile_headers(${name} PRIVATE <gmock/gmock.h> <gtest/gtest.h> ${ARG_PRECOMPILE})
  include(GoogleTest)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60)
endfunction()
