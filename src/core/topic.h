/* Topics: names under which messages reach every session that has subscribed to them.
 *
 * A hub holds them: one for all apps of a process, so that sessions of two apps share topics. A
 * topic lives while it has subscribers. A subscription is linked into its topic and into its
 * session, and ends with whichever is first: unsubscribing, or the moment from which nothing can
 * be sent to the session any more. So nothing here can point at a connection that is gone.
 *
 * Publishing encodes a message once and appends it to the output of each subscriber, under the same
 * policy for slow peers as any other message; it never runs a handler, frees a connection or
 * settles one. What is appended goes out when the connections settle, in one write each. */
#ifndef SPRY_CORE_TOPIC_H
#define SPRY_CORE_TOPIC_H

#include "base/buf.h"
#include "base/table.h"
#include "core/conn.h"

enum { SPRY_TOPIC_NAME_MAX = 255 };

typedef struct spry_topic {
    spry_entry entry; /* in hub->topics */
    struct spry_hub *hub;
    spry_list subscribers; /* the oldest first */
    size_t count;          /* of them */
    bool publishing;       /* not to be freed, empty or not */
    unsigned char len;
    char name[]; /* no NUL behind it */
} spry_topic;

typedef struct spry_hub {
    spry_table topics;        /* by name */
    spry_table subscriptions; /* by topic and connection */
    uint64_t seed;            /* of the names' hashes */
    spry_buf plain, packed;   /* the message being published, as it is and compressed */
} spry_hub;

void spry_hub_init(spry_hub *hub);

/* Every connection must have been destroyed, so there is no topic any more. */
void spry_hub_free(spry_hub *hub);

/* Subscribes an open session. 0; 1 when it has been before; SPRY_ENOMEM. */
int spry_hub_subscribe(spry_hub *hub, spry_slice name, spry_conn *conn) SPRY_MUST_CHECK;

/* Whether it is subscribed. */
bool spry_hub_has(const spry_hub *hub, spry_slice name, const spry_conn *conn);

/* False: it was not subscribed. */
bool spry_hub_unsubscribe(spry_hub *hub, spry_slice name, spry_conn *conn);

/* Sends a message to all subscribers but `except` (NULL for nobody). `receivers` is how many of
 * them it was queued for. 0 or SPRY_ENOMEM: then nobody gets it. */
int spry_hub_publish(spry_hub *hub, spry_slice name, enum spry_message_kind kind,
                     spry_slice payload, const spry_conn *except,
                     size_t *receivers) SPRY_MUST_CHECK;

/* The topic after `last`, in no order; the first for NULL; NULL at the end. */
const spry_topic *spry_hub_next(const spry_hub *hub, const spry_topic *last);

/* For sessions: nothing can be sent to it any more, so it leaves all its topics. */
void spry_hub_leave(spry_session *session);

#endif
