# How C is compiled here, as two interface targets.
#
#   phalanx_instrument  sanitizers and coverage; also for the C of others that
#                       runs in our processes, but not for build-time tools
#   phalanx_flags       the above plus language and warnings; our own code

add_library(phalanx_instrument INTERFACE)
if(PHALANX_SANITIZE)
  set(sanitize
    -fsanitize=${PHALANX_SANITIZE}
    -fno-omit-frame-pointer)
  if(PHALANX_SANITIZE MATCHES undefined)
    list(APPEND sanitize -fno-sanitize-recover=undefined)
  endif()
  target_compile_options(phalanx_instrument INTERFACE ${sanitize})
  target_link_options(phalanx_instrument INTERFACE ${sanitize})
else()
  # The sanitizers and the fortified library functions get in each other's way.
  target_compile_options(phalanx_instrument INTERFACE
    -fstack-protector-strong
    $<$<CONFIG:RelWithDebInfo>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>)
  target_link_options(phalanx_instrument INTERFACE -Wl,-z,relro,-z,now)
endif()
if(PHALANX_COVERAGE)
  target_compile_options(phalanx_instrument INTERFACE --coverage)
  target_link_options(phalanx_instrument INTERFACE --coverage)
endif()
if(PHALANX_FUZZ)
  target_compile_options(phalanx_instrument INTERFACE -fsanitize=fuzzer-no-link)
endif()

add_library(phalanx_flags INTERFACE)
target_link_libraries(phalanx_flags INTERFACE phalanx_instrument)
target_compile_definitions(phalanx_flags INTERFACE _GNU_SOURCE)
# -Wswitch (in -Wall) is what we want of switches: without a default it names
# the missing value. -Wswitch-enum would also complain where gRPC's enums have
# a default, so it stays off.
target_compile_options(phalanx_flags INTERFACE
  -Wall
  -Wextra
  -Wshadow
  -Wstrict-prototypes
  -Wmissing-prototypes
  -Wold-style-definition
  -Wconversion
  -Wno-sign-conversion
  -Wpointer-arith
  -Wwrite-strings
  -Wformat=2
  -Wundef
  -Wvla
  -Wimplicit-fallthrough
  $<$<BOOL:${PHALANX_WERROR}>:-Werror>)
