/* Memory for a Lua state. Nearly all that Lua asks for are small blocks of a few sizes, whose size
 * it tells again when it gives them back: so blocks of one size share a slab (a page), and need no
 * head, no search and no joining with their neighbours. Garbage of one size leaves no holes among
 * what lives on of another, and a slab that becomes empty serves any size, or goes back to the
 * system. Large blocks are malloc's. */
#ifndef SPRY_LUA_ALLOCATOR_H
#define SPRY_LUA_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>

struct spryl_watchdog;

typedef struct spryl_allocator spryl_allocator;

/* NULL when there is no memory. Of one thread, as the state is. */
spryl_allocator *spryl_allocator_new(void);

/* Frees it and all small blocks. */
void spryl_allocator_free(spryl_allocator *allocator);

/* A lua_Alloc; `allocator` is a spryl_allocator. */
void *spryl_allocate(void *allocator, void *block, size_t old_size, size_t new_size);

/* Refuses what would take more than `most` bytes in all; 0: there is no limit. Lua collects then,
 * and tries again. When that fails too there is some more for those who report it, until
 * spryl_allocator_turn. */
void spryl_allocator_limit(spryl_allocator *allocator, size_t most);

/* The loop has its turn again: nobody reports. True: something was refused since the last time. */
bool spryl_allocator_turn(spryl_allocator *allocator);

/* Until it is taken back there is even more, for what nobody but us does. */
void spryl_allocator_lend(spryl_allocator *allocator, bool lent);

/* Until it is taken back there is no limit. What it was before. */
bool spryl_allocator_shelter(spryl_allocator *allocator, bool sheltered);

/* Who watches the state that it serves: the one thing of our own that every lua_State leads to at
 * once. NULL until it is set. */
struct spryl_watchdog **spryl_allocator_watchdog(spryl_allocator *allocator);

/* Gives empty slabs back to the system, for some milliseconds. True: there are more. */
bool spryl_allocator_trim(spryl_allocator *allocator);

#endif
