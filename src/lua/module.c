/* luaopen_sprylua_core: what the Lua side of sprylua is built on. The same code in the executable
 * and, as core.so, in a plain Lua interpreter. */
#include "lua/app.h"
#include "lua/class.h"
#include "lua/crypto.h"
#include "lua/endpoint.h"
#include "lua/event_text.h"
#include "lua/framing.h"
#include "lua/middleware.h"
#include "lua/response.h"
#include "lua/router.h"
#include "lua/shelter.h"
#include "lua/stat.h"
#include "lua/tally.h"
#include "lua/task.h"
#include "lua/text.h"
#include "lua/topic.h"
#include "lua/url.h"
#include "lua/views.h"
#include "lua/watchdog.h"

#include <lauxlib.h>
#include <time.h>

/* now() -> seconds, monotonic. */
static int now(lua_State *L) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    lua_pushnumber(L, (lua_Number)t.tv_sec + (lua_Number)t.tv_nsec / 1e9);
    return 1;
}

int luaopen_sprylua_core(lua_State *L);

int luaopen_sprylua_core(lua_State *L) {
    static const luaL_Reg functions[] = {{"app", spryl_app_new},
                                         {"router", spryl_router_new},
                                         {"connect", spryl_connect},
                                         {"endpoint", spryl_endpoint_new},
                                         {"accept", spryl_endpoint_accept},
                                         {"extend", spryl_class_extend},
                                         {"around", spryl_middleware_around},
                                         {"handshake", spryl_handshake},
                                         {"normalize", spryl_url_normalize},
                                         {"decode", spryl_url_decode},
                                         {"token", spryl_text_token},
                                         {"isFieldValue", spryl_text_is_field_value},
                                         {"integer", spryl_text_integer},
                                         {"integerAt", spryl_text_integer_at},
                                         {"pairs", spryl_text_pairs},
                                         {"eventText", spryl_event_text},
                                         {"stat", spryl_stat},
                                         {"stats", spryl_stats},
                                         {"counters", spryl_counters},
                                         {"tally", spryl_tally_new},
                                         {"interrupted", spryl_watchdog_interrupted},
                                         {"sheltered", spryl_sheltered},
                                         {"now", now},
                                         {NULL, NULL}};
    luaL_checkversion(L);
    spryl_task_open(L);
    spryl_hub_open(L);
    spryl_app_open(L, spryl_peer_app_methods);
    spryl_event_open(L);
    spryl_upgrade_open(L);
    spryl_websocket_open(L);
    spryl_peer_open(L);
    spryl_endpoint_open(L);
    luaL_newlib(L, functions);
    spryl_response_open(L);
    spryl_request_open(L);
    lua_setfield(L, -2, "request");
    spryl_topic_open(L);
    lua_setfield(L, -2, "topic");
    spryl_websocket_functions(L);
    lua_setfield(L, -2, "websocket");
    spryl_framing_open(L);
    lua_setfield(L, -2, "framing");
    spryl_tally_open(L);
    lua_setfield(L, -2, "tallyBounds");
    spryl_crypto_open(L);
    lua_setfield(L, -2, "crypto");
    lua_pushliteral(L, SPRY_VERSION);
    lua_setfield(L, -2, "version");
    return 1;
}
