/* The C–Lua boundary: the doors through which C enters Lua, and the rules of both sides.
 *
 *  1. One door in: from the loop, Lua is entered only by running a task or a waiter (task.h), or
 *     by spryl_protect. Outside them only functions that the manual marks "-" are called.
 *  2. Nothing is held across a call that may raise: check arguments, then acquire; what is
 *     acquired hangs on an object with an owner.
 *  3. Userdata are views, C owns: a ws is severed from both ends, an event's ticket expires; __gc
 *     frees nothing but the view.
 *  4. One userdata type, one lifetime; never recycled.
 *  5. A live thing is anchored by exactly one named reference.
 *  6. Completion is reported from inside the coroutine, whoever resumed it.
 *  7. A wait is a condition, not a message: a stray resume finds it unmet and waits again.
 *  8. Yieldability is checked before a waiter is registered.
 *  9. Only what waits is woken, once for one event.
 * 10. No Lua inside parsers.
 * 11. Re-entrancy by depth: flush, close and free happen in spry_conn_settle alone.
 * 12. A C function called by Lua never resumes anybody: it marks, and the loop goes on.
 * 13. Stack discipline: lua_checkstack before a number of pushes that data decides.
 * 14. LUA_ERRMEM is a failed request, not a dead process.
 * 15. Stopping has an order (main.c).
 * 16. Strings do not cross time: bytes of Lua are copied before the function returns. */
#ifndef SPRY_LUA_BOUNDARY_H
#define SPRY_LUA_BOUNDARY_H

#include <lua.h>
#include <stdbool.h>

/* Calls fn(ud) protected, with `ud` as a light userdata at index 1. Returns the status of
 * lua_pcall; an error value is dropped. -- never raises */
int spryl_protect(lua_State *L, lua_CFunction fn, void *ud);

/* Message handler for every pcall of user code: turns the error into a table { cause, traceback }.
 * The traceback is left out for an error object (a table with a metatable), which is an answer
 * rather than an accident. */
int spryl_msgh(lua_State *L);

/* Replaces what lua_pcall left (the table of spryl_msgh, or a bare message when memory ran out)
 * by two values: cause and traceback. */
void spryl_unpack_error(lua_State *L);

/* Closes a coroutine that is parked, so that its to-be-closed variables run. False: one of them
 * raised; what it raised is on the coroutine's stack. -- never raises */
bool spryl_close_thread(lua_State *co, lua_State *from);

#endif
