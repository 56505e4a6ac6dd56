/* A task: the coroutine that answers one request, or runs one session, and who waits in it.
 *
 * Lifetime: a request's task lives until its answer is complete; a session's until its connection
 * is destroyed, since any coroutine may wait on the session. While its coroutine runs, a task
 * holds the connection. The coroutine may be resumed by anybody: it reports its end itself. */
#ifndef SPRY_LUA_TASK_H
#define SPRY_LUA_TASK_H

#include "core/router.h"
#include "lua/app.h"

/* A coroutine that waits. `ref` anchors it in the registry, unless it is the task's own. */
typedef struct spryl_waiter {
    lua_State *co; /* NULL when nobody waits */
    int ref;
} spryl_waiter;

struct spryl_websocket;

typedef struct spry_task {
    spry_app *app;
    spry_conn *conn;
    spryl_thread thread; /* co is NULL once it has ended */
    spry_list link;      /* in app->tasks, or among the spare */
    bool is_session;
    bool parked;                /* it has yielded: somebody may still know its thread */
    bool resuming;              /* spryl_task_run is in it, and will clean up */
    bool ended;                 /* reported */
    int protocol;               /* of a session: registry, its subprotocol, until the ws has it */
    int drained;                /* of a session: registry, the function for drained output */
    int endings;                /* registry: functions to call at its end, LUA_NOREF for none */
    spryl_waiter reader;        /* of the body or of messages */
    spryl_waiter writer;        /* of a response, for drained output */
    struct spryl_websocket *ws; /* view, NULL before it is made or after it was collected */

    /* Of a request; a session's task, of which there may be many, ends in front of this. */
    struct spry_task *session; /* made by a 101, started when that is out */
    uint64_t ticket;           /* what the event shows to be let in; 0 when the request is over */
    bool missed;               /* the entry is one of SPRYL_MISSES */
    unsigned allow;            /* methods that the path has, when this is a 405; else 0 */
    uint64_t serial;           /* for event.id */
    uint64_t started;          /* ns, monotonic; only when access is logged */
    size_t mark;          /* where the response begins in the output, SIZE_MAX before it does */
    uint64_t flushed;     /* conn->flushed when it began: as long as that holds, it can be undone */
    int status;           /* of the response */
    uint64_t bytes;       /* of the response, head included */
    uint64_t stream_left; /* of a sized stream */
    bool chunked, sized;  /* framing of a stream */
    bool failed;          /* the app's `failed` was called */
    bool broken_off;      /* it failed when its head was out */
    spry_match match;     /* the last: it is large, and not cleared */
} spry_task;

/* Memory for the tasks of a state, and the tickets. A task's memory is reused but never given back
 * before the state is closed, so that an event may look at it however long it is kept. */
typedef struct spryl_arena {
    spry_list spare_requests, spare_sessions;
    uint64_t last_ticket;
} spryl_arena;

/* Makes the state's arena. Before everything else that has a finalizer, so as to be freed last. */
void spryl_task_open(lua_State *L);

/* The state's arena. -- never raises */
spryl_arena *spryl_task_arena(lua_State *L);

/* Pushes the function that the coroutines of requests run, for the app at `index`. */
void spryl_task_push_answer(lua_State *L, int index);

/* Runs a request that has its head. -- never raises */
void spryl_task_request(spry_app *app, spry_conn *conn);

/* Pushes the event of the request that the running coroutine answers; nil when it answers none. */
void spryl_task_push_event(lua_State *L);

/* Makes the task of a session: `fn` is at `index`. It is started by spryl_task_session. */
spry_task *spryl_task_new_session(lua_State *L, spry_task *request, int index);

/* Starts a session made before. -- never raises */
void spryl_task_session(spry_task *task);

/* Nothing can be sent to a session any more: calls its endings. -- never raises */
void spryl_session_closed(spry_task *task);

/* What waited for the peer of a session has drained, or never will: tells Lua. -- never raises */
void spryl_session_drained(spry_task *task);

/* Keeps the function on top, to be called at the end of a request, or when a session can't be sent
 * anything any more. Pops it. */
void spryl_task_at_end(lua_State *L, spry_task *task);

/* Ends a session whose coroutine was closed by somebody else, so that nobody reported it.
 * -- never raises */
void spryl_task_bury(spry_task *task);

/* Gives a request or a session up: its coroutine is closed, nobody answers. -- never raises */
void spryl_task_abandon(spry_task *task);

/* Forgets a task with its connection. -- never raises */
void spryl_task_drop(spry_task *task);

/* Waits: registers the running coroutine and yields; `k` looks again when it is resumed. Raises
 * when the coroutine can't yield, or when another one waits here. Use as `return spryl_wait(…)`. */
int spryl_wait(lua_State *L, spry_task *task, spryl_waiter *w, const char *what, lua_KContext ctx,
               lua_KFunction k);

/* The wait is over; also harmless when there was none. -- never raises */
void spryl_unwait(lua_State *L, spryl_waiter *w);

/* Resumes who waits, if anybody does. False: nobody. -- never raises */
bool spryl_wake(spry_task *task, spryl_waiter *w);

#endif
