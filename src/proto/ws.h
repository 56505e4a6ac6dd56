/* A WebSocket after its handshake (RFC 6455 sections 5 to 7), the server's side, as a sans-IO state
 * machine: bytes in, messages into an inbox, frames out to the end of a buffer.
 *
 * wslay's frame parser takes frames apart: their heads, the forms of their lengths, what control
 * frames may be, the masks; only a message that lies whole in the input goes past it (whole.h).
 * What frames mean together is here: fragments, UTF-8, sizes, pongs, the closing handshake. Not
 * wslay's message layer above its parser: that one skips two bytes of a close reason at every read,
 * keeps about a hundred bytes for a fragment of one, and answers a Close at once.
 *
 * Outgoing frames are never fragmented, so their heads are written straight into `out`. A client
 * masks them, each with a key that nobody can guess (section 5.3), and takes none that is masked;
 * a server does it the other way round. With permessage-deflate (RFC 7692) messages may come and go
 * compressed; max_message is about what they are inflated.
 *
 * Close never overtakes what the session still owes: the peer's Close, or the one that a violation
 * earns, is put in the inbox behind the messages that came before it. The answer to it goes out
 * when spry_ws_release_close is called, which is when the session has seen it.
 *
 * A spry_ws owns its inbox; `out` is borrowed and must stay at its address. */
#ifndef SPRY_PROTO_WS_H
#define SPRY_PROTO_WS_H

#include "base/buf.h"
#include "proto/deflate.h"
#include "proto/frame.h"
#include "proto/text.h"
#include "proto/whole.h"

#include <stdbool.h>
#include <stdint.h>
#include <wslay/wslay.h>

/* Close codes that this side sends or reports (RFC 6455 section 7.4.1). */
enum spry_close_code {
    SPRY_CLOSE_NORMAL = 1000,
    SPRY_CLOSE_GOING_AWAY = 1001,
    SPRY_CLOSE_PROTOCOL = 1002,
    SPRY_CLOSE_NO_STATUS = 1005, /* reported only: a Close without a code */
    SPRY_CLOSE_LOST = 1006,      /* reported only: no Close at all */
    SPRY_CLOSE_INVALID = 1007,
    SPRY_CLOSE_TOO_BIG = 1009,
    SPRY_CLOSE_INTERNAL = 1011,
    SPRY_CLOSE_TRY_AGAIN = 1013,
};

enum spry_message_kind { SPRY_TEXT = 1, SPRY_BINARY = 2, SPRY_CLOSE = 8 };

/* The longest payload of a control frame, and so of a close reason with its two bytes of code. */
enum { SPRY_CONTROL_MAX = 125, SPRY_REASON_MAX = 123 };

/* What the session gets: a message, or the end (SPRY_CLOSE, once, the last). */
typedef struct spry_message {
    struct spry_message *next;
    enum spry_message_kind kind;
    uint16_t code; /* of a SPRY_CLOSE */
    size_t len;
    char data[]; /* the payload, or the close reason */
} spry_message;

/* The frame that is coming in, when it does not come whole. */
typedef struct spry_frame_in {
    wslay_frame_context_ptr parser; /* NULL until it is needed */
    unsigned char head[SPRY_HEAD_MAX];
    unsigned char head_len;
    bool begun; /* the head is complete and was looked at */
    bool plain; /* it goes past the parser: it would be whole, were all of it here */
    unsigned char mask[SPRY_MASK_SIZE]; /* then */
    uint64_t left;                      /* payload to come, bytes; once the head is complete */
    unsigned char control_len;
    char control[SPRY_CONTROL_MAX]; /* payload of a control frame */
} spry_frame_in;

typedef struct spry_ws {
    spry_frame_in *frame;  /* NULL between frames: an idle session needs none */
    spry_deflate *deflate; /* NULL unless compression was agreed on */
    spry_buf *out;
    size_t max_message;
    bool is_client;
    spry_message *inbox, **inbox_end; /* oldest first */
    size_t inbox_bytes;               /* payloads and their overhead */
    spry_slice *input;                /* lent to wslay's callback while it parses */
    spry_message *partial; /* the data message that is coming in, NULL between messages */
    size_t partial_room;   /* bytes that fit in its data */
    spry_text text;        /* its characters, when it is a text */
    bool deflated;         /* it comes compressed */
    bool pong_due;         /* the ping in `frame` is to be answered */
    bool close_sent;       /* a Close, at most once */
    bool ended;            /* the inbox has got its SPRY_CLOSE: nothing more comes */
    uint16_t end_code;     /* that of the SPRY_CLOSE */
    uint16_t close_due;    /* the code to answer with, 0 when none is owed */
} spry_ws;

/* A server's; for a client set is_client before anything else. `max_message` in bytes: longer
 * messages end the session with 1009. */
void spry_ws_init(spry_ws *ws, size_t max_message, spry_buf *out);

/* Compression was agreed on, by a server. 0 or SPRY_ENOMEM. */
int spry_ws_compress(spry_ws *ws, const spry_deflate_terms *terms,
                     spry_deflate_pool *pool) SPRY_MUST_CHECK;

/* Takes bytes from the front of `input`: all, or a good deal of them, or up to a ping that has
 * messages before it, so that the session can answer those first: the pong is due then, and the
 * next feed begins with it. What follows a Close or a violation is dropped. 0 or SPRY_ENOMEM. */
int spry_ws_feed(spry_ws *ws, spry_slice *input) SPRY_MUST_CHECK;

/* Whether `in`, which is to be fed next, begins with a whole message that the session gets next.
 * Who takes it from there does not feed it. */
bool spry_ws_peek(const spry_ws *ws, spry_slice in, spry_whole *whole);

/* The connection broke: the inbox ends with 1006, unless it has ended already. 0 or SPRY_ENOMEM. */
int spry_ws_lost(spry_ws *ws) SPRY_MUST_CHECK;

/* Takes the oldest message out of the inbox, NULL when it is empty. The caller frees it. */
spry_message *spry_ws_next(spry_ws *ws);

/* Appends a whole message; a text's payload must be valid UTF-8. 0, SPRY_ENOMEM, or SPRY_ECLOSED
 * once a Close was sent. */
int spry_ws_send(spry_ws *ws, enum spry_message_kind kind, spry_slice payload) SPRY_MUST_CHECK;

/* How a message for many peers goes to this one: as the plain frame (spry_frame_put), as the one
 * that the pool has compressed (spry_deflate_put_shared; the plain one where that is not smaller),
 * or encoded for it alone (spry_ws_send). */
enum spry_encoding { SPRY_ENCODED_PLAIN, SPRY_ENCODED_SHARED, SPRY_ENCODED_ALONE };
enum spry_encoding spry_ws_encoding(const spry_ws *ws, size_t len);

/* Appends a Ping with up to SPRY_CONTROL_MAX bytes. As spry_ws_send, and SPRY_ETOOBIG. */
int spry_ws_ping(spry_ws *ws, spry_slice payload) SPRY_MUST_CHECK;

/* Whether a Close may carry the code (RFC 6455 section 7.4 and the registry that it founds): 1004
 * to 1006 and 1015 are never sent, 1016 to 2999 are not assigned. */
static inline bool spry_ws_may_close(int64_t code) {
    return (code >= 1000 && code <= 1014 && code != 1004 && code != SPRY_CLOSE_NO_STATUS &&
            code != SPRY_CLOSE_LOST) ||
           (code >= 3000 && code <= 4999);
}

/* Appends a Close; code 0 or 1005 sends none. SPRY_EINVAL for a code that must not be sent
 * (section 7.4.2) or a reason over SPRY_REASON_MAX bytes. Harmless the second time. */
int spry_ws_close(spry_ws *ws, uint16_t code, spry_slice reason) SPRY_MUST_CHECK;

/* Appends the Close that is owed to the peer, if one is. 0 or SPRY_ENOMEM. */
int spry_ws_release_close(spry_ws *ws) SPRY_MUST_CHECK;

/* Whether both sides are done, so that the connection may be closed. */
bool spry_ws_done(const spry_ws *ws);

void spry_ws_free(spry_ws *ws);

/* ---- between ws.c and ws_in.c ---- */

/* Puts a message into the inbox, which owns it then. */
void spry_ws_push(spry_ws *ws, spry_message *m);

/* Ends the inbox with a SPRY_CLOSE, unless it has ended. 0 or SPRY_ENOMEM. */
int spry_ws_end_inbox(spry_ws *ws, uint16_t code, spry_slice reason) SPRY_MUST_CHECK;

/* Appends a frame. 0 or SPRY_ENOMEM. */
int spry_ws_put(const spry_ws *ws, unsigned opcode, spry_slice payload) SPRY_MUST_CHECK;

/* Forgets the frame that was coming in: between two, the parser knows nothing that a new one would
 * not. */
void spry_ws_drop_frame(spry_ws *ws);

#endif
