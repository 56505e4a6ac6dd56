# Writes a C file that holds the framework's Lua sources, so that the executable needs no other file.
# Run as: cmake -DROOT=<lua> -DARGPARSE=<argparse.lua> -DOUTPUT=<file.c> -P embed.cmake
# The table it defines is declared in src/embedded.h.

function(embed index name chunkname path)
  file(READ ${path} hex HEX)
  file(SIZE ${path} size)
  # A literal of escapes, a source line (0a) to a C line: no length limit in gcc and clang, and no
  # quoting to get wrong.
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" text "${hex}")
  string(REPLACE "\\x0a" "\\x0a\"\n    \"" text "${text}")
  file(APPEND ${OUTPUT}.new "static const char source_${index}[] =\n    \"${text}\";\n\n")
  set(row "    {\"${name}\", \"@${chunkname}\", source_${index}, ${size}},\n")
  set(rows "${rows}${row}" PARENT_SCOPE)
endfunction()

file(WRITE ${OUTPUT}.new "/* Made by src/embed.cmake. */\n#include \"embedded.h\"\n\n")
set(rows "")
set(index 0)
file(GLOB_RECURSE files RELATIVE ${ROOT} ${ROOT}/sprylua/*.lua)
list(SORT files)
foreach(file IN LISTS files)
  string(REGEX REPLACE "(/init)?\\.lua$" "" name ${file})
  string(REPLACE "/" "." name ${name})
  embed(${index} ${name} ${file} ${ROOT}/${file})
  math(EXPR index "${index} + 1")
endforeach()
embed(${index} argparse argparse.lua ${ARGPARSE})
math(EXPR index "${index} + 1")

file(APPEND ${OUTPUT}.new
  "const struct spry_embedded_module spry_embedded[] = {\n${rows}};\n"
  "const size_t spry_embedded_count = ${index};\n")
file(RENAME ${OUTPUT}.new ${OUTPUT})
