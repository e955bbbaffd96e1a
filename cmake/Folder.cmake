# interlock_folder(<out>): the sources of the calling folder.
# A glob is all right here: one concept is one file, a file in the folder belongs to the folder's
# target without exception, and CONFIGURE_DEPENDS makes every build look again.
function(interlock_folder out)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  set(hands ${sources})
  list(FILTER hands EXCLUDE REGEX "/main\\.c$")
  if(NOT hands) # PENDING: rooms that are still empty
    file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/pending.c CONTENT
      "int pending(void);\nint pending(void) { return 0; }\n")
    list(APPEND sources ${CMAKE_CURRENT_BINARY_DIR}/pending.c)
  endif()
  set(${out} ${sources} PARENT_SCOPE)
endfunction()
