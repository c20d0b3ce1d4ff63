# A room is one folder under lib/ and one static library MoE<Room>. Its sources are globbed: a new pass is a new file and no CMake edit.
# All rooms that use MLIR share one precompiled header (lib/Pch.h); it cuts a pass file from 8 s to 1 or 2.

if(MOE_SANITIZE)
  add_compile_options(-fsanitize=${MOE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -fno-sanitize=vptr,function)
  add_link_options(-fsanitize=${MOE_SANITIZE})
endif()

# The header is compiled once, by this object library; the rooms reuse it.
function(moe_enable_pch target)
  target_compile_options(${target} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  target_precompile_headers(${target} REUSE_FROM MoePch)
endfunction()

# moe_add_room(<Name> [NO_MLIR] [LINK <rooms and libraries>...])
#   Name is the folder below lib/, with '/' for nested rooms (Codegen/CPU gives MoeCodegenCPU).
#   NO_MLIR: the room includes no LLVM header and links no LLVM (Machine, Runtime).
function(moe_add_room name)
  cmake_parse_arguments(ROOM "NO_MLIR" "" "LINK" ${ARGN})
  string(REPLACE "/" "" flat ${name})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(NOT sources)
    add_library(Moe${flat} INTERFACE)
    target_link_libraries(Moe${flat} INTERFACE ${ROOM_LINK})
    return()
  endif()
  add_library(Moe${flat} STATIC ${sources})
  target_link_libraries(Moe${flat} PUBLIC ${ROOM_LINK})
  if(NOT ROOM_NO_MLIR)
    add_dependencies(Moe${flat} MoeTableGen)
    target_compile_options(Moe${flat} PRIVATE -fno-rtti -fno-exceptions)
    moe_enable_pch(Moe${flat})
  endif()
endfunction()

# moe_add_tool(<name> LINK <rooms>...): one folder below tools/, linked to the shared libMLIR and libLLVM.
function(moe_add_tool name)
  cmake_parse_arguments(TOOL "NO_MLIR" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE ${TOOL_LINK})
  # -fPIC and not CMake's -fPIE: the precompiled header was made with -fPIC.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE -fPIC)
  if(NOT TOOL_NO_MLIR)
    target_link_libraries(${name} PRIVATE MLIR LLVM)
    target_compile_options(${name} PRIVATE -fno-rtti -fno-exceptions)
    moe_enable_pch(${name})
  endif()
endfunction()

# moe_tablegen_passes(<Room>): include/moe/<Room>/Passes.td to Passes.h.inc.
function(moe_tablegen_passes room)
  string(REPLACE "/" "" flat ${room})
  set(LLVM_TARGET_DEFINITIONS Passes.td)
  mlir_tablegen(Passes.h.inc -gen-pass-decls -name=Moe${flat})
  add_public_tablegen_target(Moe${flat}PassesIncGen)
  add_dependencies(MoeTableGen Moe${flat}PassesIncGen)
endfunction()

# moe_archive_for_models(<Room>): the target Moe<Room>ForModels, lib/libMoe<Room>.a, which becomes part of every model.so. A model runs in
# programs without a sanitizer, so in sanitizer builds this is a copy without instrumentation; unit tests link the instrumented one.
function(moe_archive_for_models room)
  if(NOT MOE_SANITIZE)
    add_library(Moe${room}ForModels ALIAS Moe${room})
    return()
  endif()
  get_target_property(sources Moe${room} SOURCES)
  get_target_property(options Moe${room} COMPILE_OPTIONS)
  add_library(Moe${room}ForModels STATIC ${sources})
  target_compile_options(Moe${room}ForModels PRIVATE ${options} -fno-sanitize=all)
  set_target_properties(Moe${room}ForModels PROPERTIES OUTPUT_NAME Moe${room})
  set_target_properties(Moe${room} PROPERTIES OUTPUT_NAME Moe${room}Sanitized)
endfunction()
