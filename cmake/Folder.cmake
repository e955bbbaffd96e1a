# interlock_folder(<out>): the sources of the calling folder, without a program's main.c.
# A glob is all right here: one concept is one file, a file in the folder belongs to the folder's
# target without exception, and CONFIGURE_DEPENDS makes every build look again.
function(interlock_folder out)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  list(FILTER sources EXCLUDE REGEX "/main\\.c$")
  set(${out} ${sources} PARENT_SCOPE)
endfunction()
