/* load: puts one load on a server on 127.0.0.1, and says how it did. See usage() below and
 * bench/README.md.
 *
 * It opens its connections, prints "open", warms the server up for a fourth of the time, prints
 * "measuring", measures, and prints one line of name=value words. The connections stay open until
 * standard input ends, so that whoever runs it can look at the server before they go. */
#include "load.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

_Noreturn void load_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("load: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static uint64_t clock_now(clockid_t clock) {
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t load_now(void) {
    return clock_now(CLOCK_MONOTONIC);
}

/* ---- options ---- */

static _Noreturn void usage(void) {
    (void)fputs(
        "usage: load [options] PORT PATH\n"
        "  HTTP requests, or with -w WebSocket messages that are echoed, or with -f PATH messages "
        "that a\n"
        "  publisher sends to that path and subscribers get from the other\n"
        "  -c N      connections (64)            -o N     outstanding (1)\n"
        "  -s SECONDS  to measure (1)            -b N     bytes of a message (64)\n"
        "  -p FILE   is posted                   -x N     subscribers more that never read (0)\n"
        "  -i        idle: open, then hold       -e       subscribers read server-sent events\n",
        stderr);
    exit(64);
}

static unsigned number(const char *text) {
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*end || end == text || value > 1000000) usage();
    return (unsigned)value;
}

static void set_option(options *o, int letter) {
    switch (letter) {
    case 'w': o->is_websocket = true; break;
    case 'f':
        o->is_websocket = true;
        o->publish_path = optarg;
        break;
    case 'i': o->is_idle = true; break;
    case 'e': o->reads_events = true; break;
    case 'c': o->connections = number(optarg); break;
    case 'o': o->outstanding = number(optarg); break;
    case 'x': o->stalled = number(optarg); break;
    case 'b': o->bytes = number(optarg); break;
    case 's': o->seconds = strtod(optarg, NULL); break;
    case 'p': o->body_file = optarg; break;
    default: usage();
    }
}

static options read_options(int argc, char **argv) {
    options o = {.connections = 64, .outstanding = 1, .bytes = 64, .seconds = 1};
    for (int letter; (letter = getopt(argc, argv, "wf:eic:o:x:b:s:p:")) != -1;)
        set_option(&o, letter);
    if (argc - optind != 2) usage();
    o.port = (int)number(argv[optind]);
    o.path = argv[optind + 1];
    if (!o.connections || !o.outstanding || !(o.seconds > 0 && o.seconds <= 600)) usage();
    return o;
}

/* ---- the course of a load ---- */

static void prepare(load *l) {
    const options *o = &l->options;
    l->count = o->connections + o->stalled + (o->publish_path ? 1 : 0);
    l->all = calloc(l->count, sizeof *l->all);
    l->payload = malloc(o->bytes + 1);
    l->poll = epoll_create1(0);
    if (!l->all || !l->payload || l->poll < 0) load_fail("no memory");
    for (size_t i = 0; i < o->bytes; i++) l->payload[i] = (char)('a' + i % 26);
    for (unsigned i = 0; i < l->count && !o->publish_path; i++) {
        l->all[i].sent_at = calloc(o->outstanding, sizeof *l->all[i].sent_at);
        if (!l->all[i].sent_at) load_fail("no memory");
    }
    if (o->publish_path)
        fan_out_prepare(l);
    else
        exchange_prepare(l);
}

static void open_all(load *l) {
    uint64_t until = load_now() + 60000000000u;
    connection_open_more(l);
    while (l->open < l->count) {
        connection_poll(l, 100);
        if (load_now() > until) load_fail("could not open every connection within a minute");
    }
}

static void run(load *l, double seconds) {
    uint64_t until = load_now() + (uint64_t)(seconds * 1e9);
    for (uint64_t now = load_now(); now < until; now = load_now()) {
        if (l->options.publish_path) fan_out_publish(l);
        connection_poll(l, (int)((until - now) / 1000000) + 1);
    }
}

static void say(const char *word) {
    (void)puts(word);
    (void)fflush(stdout);
}

static void measure(load *l) {
    run(l, l->options.seconds / 4);
    memset(&l->latencies, 0, sizeof l->latencies);
    say("measuring");
    uint64_t began = load_now(), busy = clock_now(CLOCK_PROCESS_CPUTIME_ID);
    run(l, l->options.seconds);
    double took = (double)(load_now() - began);
    const histogram *h = &l->latencies;
    if (!h->count) load_fail("nothing came back");
    (void)printf("count=%llu seconds=%.6f busy=%.3f p50=%.1f p99=%.1f longest=%.1f\n",
                 (unsigned long long)h->count, took / 1e9,
                 (double)(clock_now(CLOCK_PROCESS_CPUTIME_ID) - busy) / took,
                 (double)histogram_quantile(h, 0.5) / 1e3,
                 (double)histogram_quantile(h, 0.99) / 1e3, (double)h->longest / 1e3);
    (void)fflush(stdout);
}

int main(int argc, char **argv) {
    static load all;
    load *l = &all;
    l->options = read_options(argc, argv);
    prepare(l);
    open_all(l);
    say("open");
    if (!l->options.is_idle) {
        uint64_t now = load_now();
        for (unsigned i = 0; i < l->count && !l->options.publish_path; i++)
            connection_send_requests(&l->all[i], l->options.outstanding, now);
        measure(l);
    }
    while (getchar() != EOF) continue;
    return 0;
}
