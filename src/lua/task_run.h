/* What the files of tasks share: task.c runs coroutines, request_task.c and session_task.c are what
 * they run. Private to them. Nothing here raises unless it says so. */
#ifndef SPRY_LUA_TASK_RUN_H
#define SPRY_LUA_TASK_RUN_H

#include "lua/task.h"

/* A task without a thread; NULL when there is no memory. spryl_task_free takes it back. */
spry_task *spryl_task_make(spry_app *app, spry_conn *conn, bool is_session);
void spryl_task_free(spry_task *task);

/* Gives a request's task a thread, from the pool or a new one, with SPRYL_ANSWER and the app at the
 * bottom of its stack. False: no memory. */
bool spryl_task_take_thread(spry_task *task);

/* Makes a new thread for the task at index 1, a light userdata. Raises when there is no memory. */
int spryl_task_make_thread(lua_State *L);

/* The function at the bottom of a coroutine's stack. */
void spryl_find_bottom(lua_State *L, lua_Debug *frame);

/* Resumes it, with `nargs` values on its stack, and cleans up when it has ended. */
void spryl_task_run(spry_task *task, int nargs);

/* Lets the views of the task know that there is nothing behind them any more. */
void spryl_task_sever(spry_task *task);

/* The coroutine is over: lets go of the connection. */
void spryl_task_end(spry_task *task);

/* Takes care of the thread, and of a request's task, after the end. `status` is what lua_resume
 * said; anything but LUA_OK when it was not asked. */
void spryl_task_clean_up(spry_task *task, int status);

/* Calls what was registered for the end of a task, with an error each as if it were none. */
void spryl_task_endings(lua_State *L, spry_task *task);

/* The answer is complete, or is `refused` (a status; 0 for none) and made by the connection. */
void spryl_request_report(spry_task *task, int refused);

/* The coroutine has died before it could report. */
void spryl_request_died(spry_task *task);

/* The session function is over: the closing handshake begins, if it has not already. */
void spryl_session_ended(spry_task *task, uint16_t code);

#endif
