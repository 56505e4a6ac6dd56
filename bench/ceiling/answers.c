/* The answers of bench/app as constant bytes. Only their Date changes, once a second. */
#include "ceiling.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FILE_SIZE = 64 << 10, DATE_SIZE = 29 };

#define HEAD "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
#define JSON_BODY                                                                                  \
    "{\"id\":7,\"name\":\"Ada Lovelace\",\"email\":\"ada@example.org\",\"active\":true,"           \
    "\"balance\":12.5}"

/* In order of use: what is asked for most is found first. */
static answer answers[] = {
    {"/", false, NULL, 0},          {"/json", false, NULL, 0},
    {"/users/", true, NULL, 0},     {"/orders", false, NULL, 0},
    {"/file.html", false, NULL, 0}, {"/events", false, NULL, 0},
    {"/section", true, NULL, 0},    {"", true, NULL, 0},
};

enum { COUNT = sizeof answers / sizeof *answers };

static void set(const char *path, const char *status, const char *fields, const char *body) {
    answer *a = answers;
    while (strcmp(a->path, path) != 0) a++;
    size_t room = strlen(body) + 256;
    a->bytes = malloc(room);
    if (!a->bytes) abort();
    a->length =
        (size_t)snprintf(a->bytes, room, "HTTP/1.1 %s\r\n" HEAD "%s\r\n%s", status, fields, body);
}

/* With a Content-Length. */
static void set_plain(const char *path, const char *status, const char *type, const char *body) {
    char fields[128];
    (void)snprintf(fields, sizeof fields, "Content-Type: %s\r\nContent-Length: %zu\r\n", type,
                   strlen(body));
    set(path, status, fields, body);
}

static void set_file(void) {
    char *body = malloc(FILE_SIZE + 1);
    if (!body) abort();
    memset(body, 'x', FILE_SIZE);
    body[FILE_SIZE] = 0;
    set_plain("/file.html", "200 OK", "text/html; charset=utf-8", body);
    free(body);
}

/* Ten events, each in a chunk of its own. */
static void set_events(void) {
    char body[1024];
    size_t at = 0;
    for (int i = 1; i <= 10; i++) {
        char event[64];
        int length = snprintf(event, sizeof event, "id: %d\ndata: tick %d\n\n", i, i);
        at +=
            (size_t)snprintf(body + at, sizeof body - at, "%x\r\n%s\r\n", (unsigned)length, event);
    }
    (void)snprintf(body + at, sizeof body - at, "0\r\n\r\n");
    set("/events", "200 OK",
        "Content-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
        "Transfer-Encoding: chunked\r\n",
        body);
}

void answers_make(void) {
    const char *text = "text/plain; charset=utf-8", *json = "application/json";
    set_plain("/", "200 OK", text, "hello, world");
    set_plain("/json", "200 OK", json, JSON_BODY);
    set_plain("/users/", "200 OK", text, "post 42 of user 7: full");
    set_plain("/orders", "200 OK", json, "{\"id\":1815,\"lines\":12}");
    set_plain("/section", "200 OK", text, "7");
    set_plain("", "404 Not Found", text, "Not Found");
    set_file();
    set_events();
}

void answers_set_date(void) {
    time_t now = time(NULL);
    struct tm parts;
    char date[DATE_SIZE + 1];
    (void)strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &parts));
    for (size_t i = 0; i < COUNT; i++)
        memcpy(strstr(answers[i].bytes, "Date: ") + 6, date, DATE_SIZE);
}

const answer *answers_find(const char *url, size_t length) {
    const answer *a = answers;
    for (;; a++) {
        size_t wanted = strlen(a->path);
        if (length < wanted || memcmp(url, a->path, wanted) != 0) continue;
        if (length == wanted || a->is_prefix) return a;
    }
}
