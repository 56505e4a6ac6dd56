/* Offers of permessage-deflate, see extension.h. */
#include "proto/extension.h"

#include "proto/line.h"

/* ---- the grammar (RFC 6455 section 9.1) ---- */

enum { VALUE_MAX = 8 }; /* more than any value of a known parameter has */

/* One parameter: name, and maybe a value with its quotes undone. */
struct parameter {
    spry_slice name;
    bool has_value;
    char value[VALUE_MAX];
    size_t len; /* of the value; more than VALUE_MAX when it is longer than any known one */
};

static void skip_spaces(spry_slice *s) {
    while (s->len && (s->data[0] == ' ' || s->data[0] == '\t')) s->data++, s->len--;
}

/* Takes a byte from the front, with the spaces around it, if it is the one. */
static bool take(spry_slice *s, char byte) {
    skip_spaces(s);
    if (!s->len || s->data[0] != byte) return false;
    s->data++, s->len--;
    skip_spaces(s);
    return true;
}

static spry_slice take_token(spry_slice *s) {
    size_t n = 0;
    while (n < s->len && spry_is_token_byte(s->data[n])) n++;
    spry_slice token = spry_slice_of(s->data, n);
    s->data += n, s->len -= n;
    return token;
}

static void add_to_value(struct parameter *p, char byte) {
    if (p->len < VALUE_MAX) p->value[p->len] = byte;
    if (p->len <= VALUE_MAX) p->len++;
}

/* A quoted string must be a token once its quotes are undone. */
static bool take_quoted(spry_slice *s, struct parameter *p) {
    s->data++, s->len--;
    while (s->len && s->data[0] != '"') {
        if (s->data[0] == '\\') s->data++, s->len--;
        if (!s->len || !spry_is_token_byte(s->data[0])) return false;
        add_to_value(p, s->data[0]);
        s->data++, s->len--;
    }
    if (!s->len) return false;
    s->data++, s->len--;
    return p->len > 0;
}

static bool take_value(spry_slice *s, struct parameter *p) {
    p->has_value = true;
    if (s->len && s->data[0] == '"') return take_quoted(s, p);
    spry_slice token = take_token(s);
    for (size_t i = 0; i < token.len; i++) add_to_value(p, token.data[i]);
    return token.len > 0;
}

static bool take_parameter(spry_slice *s, struct parameter *p) {
    *p = (struct parameter){.name = take_token(s)};
    return p->name.len && (!take(s, '=') || take_value(s, p));
}

/* Goes to the comma behind an offer, whatever is wrong with the rest of it. */
static void skip_offer(spry_slice *s) {
    bool quoted = false;
    for (; s->len && (quoted || s->data[0] != ','); s->data++, s->len--) {
        if (s->data[0] == '"') quoted = !quoted;
        if (quoted && s->data[0] == '\\' && s->len > 1) s->data++, s->len--;
    }
}

/* ---- an offer of permessage-deflate (RFC 7692 section 7.1) ---- */

/* The parameters; a window is 0 where it is not named. */
struct offer {
    bool server_no_takeover, client_no_takeover;
    unsigned server_bits, client_bits;
    bool client_window; /* client_max_window_bits is there, with a value or without */
};

static bool is_named(const struct parameter *p, const char *name) {
    return spry_slice_eq(p->name, spry_slice_of(name, strlen(name)));
}

static bool set_flag(bool *flag, const struct parameter *p) {
    if (*flag || p->has_value) return false;
    *flag = true;
    return true;
}

/* 8 to 15, without a zero in front. */
static bool read_bits(const struct parameter *p, unsigned *bits) {
    if (p->len == 1 && (p->value[0] == '8' || p->value[0] == '9'))
        *bits = (unsigned)(p->value[0] - '0');
    else if (p->len == 2 && p->value[0] == '1' && p->value[1] >= '0' && p->value[1] <= '5')
        *bits = 10 + (unsigned)(p->value[1] - '0');
    else
        return false;
    return true;
}

static bool set_client_window(struct offer *offer, const struct parameter *p) {
    if (offer->client_window) return false;
    offer->client_window = true;
    return !p->has_value || read_bits(p, &offer->client_bits);
}

/* False for one that is unknown, there already, or has a value that it must not have. */
static bool set_parameter(struct offer *offer, const struct parameter *p) {
    if (is_named(p, "server_no_context_takeover")) return set_flag(&offer->server_no_takeover, p);
    if (is_named(p, "client_no_context_takeover")) return set_flag(&offer->client_no_takeover, p);
    if (is_named(p, "client_max_window_bits")) return set_client_window(offer, p);
    if (is_named(p, "server_max_window_bits"))
        return !offer->server_bits && read_bits(p, &offer->server_bits);
    return false;
}

/* Takes one offer from the front of the list. True when it is ours, and as it should be. */
static bool take_offer(spry_slice *list, struct offer *offer) {
    *offer = (struct offer){0};
    skip_spaces(list);
    if (!spry_slice_eq(take_token(list), spry_slice_lit("permessage-deflate"))) return false;
    while (take(list, ';')) {
        struct parameter p;
        if (!take_parameter(list, &p) || !set_parameter(offer, &p)) return false;
    }
    skip_spaces(list);
    return !list->len || list->data[0] == ',';
}

/* ---- what becomes of it ---- */

static unsigned char smaller(unsigned a, unsigned b) {
    return (unsigned char)(a < b ? a : b);
}

/* A window matters only where it is kept: without takeover zlib's state is shared. */
static bool accept(const struct offer *offer, const spry_deflate_policy *policy,
                   spry_deflate_terms *terms) {
    unsigned most = policy->takeover ? policy->bits : SPRY_WINDOW_MAX;
    *terms = (spry_deflate_terms){
        .agreed = true,
        .our_takeover = policy->takeover && !offer->server_no_takeover,
        .their_takeover = policy->takeover && !offer->client_no_takeover,
        .our_bits = smaller(most, offer->server_bits ? offer->server_bits : SPRY_WINDOW_MAX),
        .their_bits = offer->client_window
                          ? smaller(most, offer->client_bits ? offer->client_bits : SPRY_WINDOW_MAX)
                          : SPRY_WINDOW_MAX,
        .threshold = policy->threshold,
    };
    return terms->our_bits >= SPRY_WINDOW_MIN;
}

static int put_window(spry_buf *out, const char *name, unsigned bits) {
    return spry_buf_printf(out, "; %s=%u", name, bits);
}

/* Says what was agreed on, and nothing of what the client wrote. The client's window may be spoken
 * of only if it has done so. */
static int answer(const struct offer *offer, const spry_deflate_terms *terms, spry_buf *out) {
    int err = spry_buf_printf(out, "Sec-WebSocket-Extensions: permessage-deflate%s%s",
                              terms->our_takeover ? "" : "; server_no_context_takeover",
                              terms->their_takeover ? "" : "; client_no_context_takeover");
    if (!err && (offer->server_bits || terms->our_bits < SPRY_WINDOW_MAX))
        err = put_window(out, "server_max_window_bits", terms->our_bits);
    if (!err && (offer->client_bits || terms->their_bits < SPRY_WINDOW_MAX))
        err = put_window(out, "client_max_window_bits", terms->their_bits);
    return err ? err : spry_buf_append(out, "\r\n", 2);
}

int spry_extension_accept(const spry_http *h, const spry_deflate_policy *policy,
                          spry_deflate_terms *terms, spry_buf *out) {
    for (size_t i = 0; policy->on && i < h->field_count; i++) {
        if (!spry_http_is_named(h, &h->fields[i], spry_slice_lit("sec-websocket-extensions")))
            continue;
        spry_slice list = spry_http_text(h, h->fields[i].value);
        for (; list.len; take(&list, ',')) {
            struct offer offer;
            spry_slice rest = list;
            if (take_offer(&rest, &offer) && accept(&offer, policy, terms))
                return answer(&offer, terms, out);
            skip_offer(&list);
        }
    }
    *terms = (spry_deflate_terms){0};
    return SPRY_OK;
}
