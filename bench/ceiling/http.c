/* HTTP by llhttp: the path and the key of a handshake are all that is looked at. */
#include "ceiling.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { COPIED = 16 << 10 }; /* a longer answer is written from where it is */

static const char KEY_FIELD[] = "sec-websocket-key";

static http *of(llhttp_t *parser) {
    return ((connection *)parser->data)->http;
}

static void keep(char *to, size_t *at, size_t room, const char *bytes, size_t length) {
    if (length > room - *at) length = room - *at;
    memcpy(to + *at, bytes, length);
    *at += length;
}

static int on_begin(llhttp_t *parser) {
    http *h = of(parser);
    h->url_length = h->field_length = h->key_length = 0;
    return 0;
}

static int on_url(llhttp_t *parser, const char *bytes, size_t length) {
    http *h = of(parser);
    keep(h->url, &h->url_length, sizeof h->url, bytes, length);
    return 0;
}

static int on_field(llhttp_t *parser, const char *bytes, size_t length) {
    http *h = of(parser);
    keep(h->field, &h->field_length, sizeof h->field, bytes, length);
    return 0;
}

static int on_value(llhttp_t *parser, const char *bytes, size_t length) {
    http *h = of(parser);
    if (h->field_length == sizeof KEY_FIELD - 1 &&
        strncasecmp(h->field, KEY_FIELD, h->field_length) == 0)
        keep(h->key, &h->key_length, sizeof h->key, bytes, length);
    return 0;
}

static int on_value_complete(llhttp_t *parser) {
    of(parser)->field_length = 0;
    return 0;
}

static bool is(const http *h, const char *path) {
    return h->url_length == strlen(path) && memcmp(h->url, path, h->url_length) == 0;
}

static role wanted(const http *h) {
    if (is(h, "/follow")) return ROLE_FOLLOWER;
    if (!h->parser.upgrade || h->key_length != sizeof h->key) return ROLE_HTTP;
    if (is(h, "/echo")) return ROLE_ECHO;
    if (is(h, "/subscribe")) return ROLE_SUBSCRIBER;
    if (is(h, "/announce")) return ROLE_ANNOUNCER;
    return is(h, "/publish") ? ROLE_PUBLISHER : ROLE_HTTP;
}

static void reply(connection *c, const answer *a) {
    if (a->length <= COPIED) {
        buffer_add(&c->server->output, a->bytes, a->length);
    } else {
        output_flush(c);
        output_write(c, a->bytes, a->length);
    }
}

static int on_complete(llhttp_t *parser) {
    connection *c = parser->data;
    http *h = c->http;
    role as = wanted(h);
    if (as == ROLE_FOLLOWER) {
        events_open(c);
        return 0;
    }
    if (as != ROLE_HTTP) {
        websocket_open(c, as, h->key);
        return 0;
    }
    reply(c, answers_find(h->url, h->url_length));
    if (parser->upgrade || !llhttp_should_keep_alive(parser)) c->closes = true;
    return 0;
}

void http_prepare(server *s) {
    llhttp_settings_init(&s->settings);
    s->settings.on_message_begin = on_begin;
    s->settings.on_url = on_url;
    s->settings.on_header_field = on_field;
    s->settings.on_header_value = on_value;
    s->settings.on_header_value_complete = on_value_complete;
    s->settings.on_message_complete = on_complete;
}

void http_open(connection *c) {
    c->http = calloc(1, sizeof *c->http);
    if (!c->http) abort();
    llhttp_init(&c->http->parser, HTTP_REQUEST, &c->server->settings);
    c->http->parser.data = c;
}

void http_read(connection *c, char *bytes, size_t length) {
    llhttp_t *parser = &c->http->parser;
    llhttp_errno_t err = llhttp_execute(parser, bytes, length);
    if (c->role == ROLE_HTTP) {
        if (err != HPE_OK) c->closes = true;
        return;
    }
    size_t used = length;
    if (err == HPE_PAUSED_UPGRADE) used = (size_t)(llhttp_get_error_pos(parser) - bytes);
    free(c->http);
    c->http = NULL;
    if (used < length && c->role != ROLE_FOLLOWER) websocket_read(c, bytes + used, length - used);
}
