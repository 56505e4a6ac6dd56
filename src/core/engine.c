/* Clock, deadlines and spare memory, see engine.h. */
#include "core/engine.h"

#include "core/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

void spry_engine_init(spry_engine *e) {
    memset(e, 0, sizeof *e);
    spry_list_init(&e->conns);
    spry_list_init(&e->dirty);
    e->date_second = -1;
    if (getrandom(&e->epoch, sizeof e->epoch, GRND_NONBLOCK) != (ssize_t)sizeof e->epoch)
        e->epoch = (uint64_t)time(NULL);
}

void spry_engine_free(spry_engine *e) {
    for (size_t i = 0; i < e->spare_http_count; i++) {
        spry_http_free(e->spare_http[i]);
        free(e->spare_http[i]);
    }
    e->spare_http_count = 0;
    spry_engine_rest(e);
    spry_deflate_pool_free(&e->deflate);
    free(e->heap);
    e->heap = NULL, e->heap_len = e->heap_cap = 0;
}

void spry_engine_rest(spry_engine *e) {
    spry_buf_pool_clear(&e->spare_out);
    spry_buf_free(&e->unmasked);
}

/* ---- the heap of deadlines ---- */

static void place(spry_engine *e, spry_conn *conn, size_t at) {
    e->heap[at] = conn;
    conn->heap_at = (uint32_t)at;
}

static void sift_up(spry_engine *e, size_t at) {
    spry_conn *conn = e->heap[at];
    while (at > 0) {
        size_t above = (at - 1) / 2;
        if (e->heap[above]->heap_key <= conn->heap_key) break;
        place(e, e->heap[above], at);
        at = above;
    }
    place(e, conn, at);
}

static void sift_down(spry_engine *e, size_t at) {
    spry_conn *conn = e->heap[at];
    for (;;) {
        size_t below = at * 2 + 1;
        if (below >= e->heap_len) break;
        if (below + 1 < e->heap_len && e->heap[below + 1]->heap_key < e->heap[below]->heap_key)
            below++;
        if (conn->heap_key <= e->heap[below]->heap_key) break;
        place(e, e->heap[below], at);
        at = below;
    }
    place(e, conn, at);
}

bool spry_engine_arm(spry_engine *e, spry_conn *conn) {
    if (conn->heap_at != SPRY_NOT_ARMED) {
        if (conn->deadline >= conn->heap_key) return true; /* put off when it comes up */
        conn->heap_key = conn->deadline;
        sift_up(e, conn->heap_at);
        return true;
    }
    if (e->heap_len == e->heap_cap) {
        size_t cap = e->heap_cap ? e->heap_cap * 2 : 64;
        spry_conn **heap = realloc(e->heap, cap * sizeof *heap);
        if (!heap) return false;
        e->heap = heap, e->heap_cap = cap;
    }
    conn->heap_key = conn->deadline;
    place(e, conn, e->heap_len++);
    sift_up(e, conn->heap_at);
    return true;
}

void spry_engine_disarm(spry_engine *e, spry_conn *conn) {
    uint32_t at = conn->heap_at;
    if (at == SPRY_NOT_ARMED) return;
    conn->heap_at = SPRY_NOT_ARMED;
    spry_conn *last = e->heap[--e->heap_len];
    if (last == conn) return;
    place(e, last, at);
    sift_up(e, at);
    sift_down(e, last->heap_at);
}

uint64_t spry_engine_next(const spry_engine *e) {
    return e->heap_len ? e->heap[0]->heap_key : UINT64_MAX;
}

void spry_engine_advance(spry_engine *e, uint64_t now) {
    e->now = now;
    while (e->heap_len && e->heap[0]->heap_key <= now) {
        spry_conn *conn = e->heap[0];
        if (conn->deadline > now) { /* it was put off */
            conn->heap_key = conn->deadline;
            sift_down(e, 0);
            continue;
        }
        spry_engine_disarm(e, conn);
        spry_conn_tick(conn);
    }
}

/* ---- the rest ---- */

bool spry_engine_settle(spry_engine *e) {
    bool any = !spry_list_empty(&e->dirty);
    for (spry_list *link; (link = spry_list_pop(&e->dirty));)
        spry_conn_settle(spry_container_of(link, spry_conn, dirty));
    return any;
}

/* Calls `each` for every connection; it may make the one it is given vanish, and no other. */
static void for_each(spry_engine *e, void (*each)(spry_conn *)) {
    for (spry_list *link = e->conns.next, *next; link != &e->conns; link = next) {
        next = link->next;
        each(spry_container_of(link, spry_conn, link));
    }
}

static void stop_request(spry_conn *conn) {
    if (conn->state != SPRY_CONN_OPEN) spry_conn_stop(conn);
}

void spry_engine_hand_over(spry_engine *e, struct spry_handler *handler) {
    e->handler = handler;
    for_each(e, spry_conn_touch);
}

void spry_engine_stop(spry_engine *e, uint16_t code) {
    e->stopping = true, e->stop_code = code;
    for_each(e, stop_request);
    spry_engine_settle(e);
}

size_t spry_engine_dismiss(spry_engine *e, size_t most) {
    size_t left = 0;
    for (spry_list *link = e->conns.next; link != &e->conns; link = link->next) {
        spry_conn *conn = spry_container_of(link, spry_conn, link);
        if (conn->state != SPRY_CONN_OPEN || conn->session->closing) continue;
        if (most)
            most--, spry_conn_stop(conn);
        else
            left++;
    }
    spry_engine_settle(e);
    return left;
}

void spry_engine_abort(spry_engine *e) {
    e->stopping = true, e->stop_code = SPRY_CLOSE_GOING_AWAY;
    for_each(e, spry_conn_abort);
    spry_engine_settle(e); /* those who waited for the peer end by themselves */
    for_each(e, spry_conn_give_up);
    spry_engine_settle(e);
}

void spry_engine_drop(spry_engine *e) {
    while (!spry_list_empty(&e->conns)) {
        spry_conn *conn = spry_container_of(e->conns.next, spry_conn, link);
        conn->holds = 0;
        spry_conn_settle(conn);
    }
}

spry_slice spry_engine_date(spry_engine *e) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec != e->date_second) {
        /* Not strftime's %a and %b: a script may have changed the locale. */
        static const char days[] = "SunMonTueWedThuFriSat";
        static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        struct tm tm;
        gmtime_r(&now.tv_sec, &tm);
        int n = snprintf(e->date, sizeof e->date, "Date: %.3s, %02d %.3s %d %02d:%02d:%02d GMT\r\n",
                         days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon,
                         tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
        e->date_len = n > 0 ? (size_t)n : 0;
        e->date_second = now.tv_sec;
    }
    return spry_slice_of(e->date, e->date_len);
}

spry_http *spry_engine_take_http(spry_engine *e, const spry_http_limits *limits) {
    if (e->spare_http_count) {
        spry_http *http = e->spare_http[--e->spare_http_count];
        http->limits = limits;
        return http;
    }
    spry_http *http = malloc(sizeof *http);
    if (http) spry_http_init(http, limits);
    return http;
}

void spry_engine_give_http(spry_engine *e, spry_http *http) {
    /* A buffer that one large request has grown is not kept for all the small ones. */
    if (http->body.cap > SPRY_INPUT_MARK) spry_buf_free(&http->body);
    if (e->spare_http_count < SPRY_SPARE_HTTP) {
        spry_http_next(http);
        e->spare_http[e->spare_http_count++] = http;
        return;
    }
    spry_http_free(http);
    free(http);
}
