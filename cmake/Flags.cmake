# Flags for everything that is compiled here: C11 on Linux, warnings, hardening, sanitizers.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON) # clang-tidy reads it
include(CheckPIESupported)
check_pie_supported(LANGUAGES C) # links executables with -pie as well

add_compile_definitions(_GNU_SOURCE)
add_compile_options(
  -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef
  -Wwrite-strings -Wformat=2
  -fstack-protector-strong -fno-omit-frame-pointer)
add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed)

if(INTERLOCK_WERROR)
  add_compile_options(-Werror)
endif()
if(INTERLOCK_POINTS)
  add_compile_definitions(IL_POINTS=1)
endif()
if(INTERLOCK_CHECKS)
  add_compile_definitions(IL_CHECKS=1)
endif()

if(INTERLOCK_SANITIZE)
  # Recovering would let a test pass that tripped over undefined behaviour.
  add_compile_options(-fsanitize=${INTERLOCK_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${INTERLOCK_SANITIZE})
else()
  # Undefined symbols are found when a library is linked. Not under sanitizers: clang leaves theirs
  # to the executable.
  add_link_options($<$<IN_LIST:$<TARGET_PROPERTY:TYPE>,SHARED_LIBRARY$<SEMICOLON>MODULE_LIBRARY>:-Wl,-z,defs>)
endif()
if(INTERLOCK_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link) # the fuzzer sees which branches an input takes
endif()
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" OR CMAKE_BUILD_TYPE STREQUAL "Release")
  # Needs optimisation, and hides from the address sanitizer what it checks itself.
  # Undefined first: some distributions' compilers predefine another level.
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
