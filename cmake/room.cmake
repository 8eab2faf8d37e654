# A room is a folder of C files behind one door header; see src/README.md.
#
#   phalanx_room(kv ROOMS ground raft PRIVATE lmdb)
#
# makes the static library phalanx_kv of the *.c files in the current folder.
# ROOMS are other rooms whose doors it opens, PRIVATE what nobody else may see.
# A folder without C files makes nothing, and naming its room is harmless.
function(phalanx_room name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "ROOMS;PRIVATE;EXCLUDE")
  file(GLOB sources CONFIGURE_DEPENDS *.c)
  foreach(file IN LISTS arg_EXCLUDE)
    list(REMOVE_ITEM sources ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  endforeach()
  if(NOT sources)
    return()
  endif()
  add_library(phalanx_${name} STATIC ${sources})
  phalanx_include(phalanx_${name} PUBLIC src)
  target_link_libraries(phalanx_${name}
    PUBLIC phalanx_version
    PRIVATE phalanx_flags ${arg_PRIVATE} Threads::Threads)
  phalanx_link_rooms(phalanx_${name} ${arg_ROOMS})
endfunction()

# Where "headers in quotes" are found. Not -I: <status.h> and its like are other people's.
function(phalanx_include target visibility)
  foreach(folder IN LISTS ARGN)
    target_compile_options(${target} ${visibility} "SHELL:-iquote ${CMAKE_SOURCE_DIR}/${folder}")
  endforeach()
endfunction()

# Link those of the named rooms that exist.
function(phalanx_link_rooms target)
  foreach(room IN LISTS ARGN)
    target_link_libraries(${target} PUBLIC $<TARGET_NAME_IF_EXISTS:phalanx_${room}>)
  endforeach()
endfunction()

# An executable from the current folder's main.c. Everything else in the folder
# is the library phalanx_<library>, so that tests can link it.
function(phalanx_program name library)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "ROOMS;PRIVATE")
  phalanx_room(${library} EXCLUDE main.c ROOMS ${arg_ROOMS} PRIVATE ${arg_PRIVATE})
  if(TARGET phalanx_${library})
    phalanx_include(phalanx_${library} PUBLIC cmd)
  endif()
  file(GLOB main CONFIGURE_DEPENDS main.c)
  if(NOT main)
    return()
  endif()
  add_executable(${name} ${main})
  phalanx_include(${name} PRIVATE src cmd)
  target_link_libraries(${name}
    PRIVATE phalanx_version phalanx_flags $<TARGET_NAME_IF_EXISTS:phalanx_${library}>)
  phalanx_link_rooms(${name} ${arg_ROOMS})
endfunction()
