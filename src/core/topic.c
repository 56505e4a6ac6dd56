/* Who gets what is published, see topic.h. */
#include "core/topic.h"

#include <stdlib.h>
#include <sys/random.h>

typedef struct subscription {
    spry_entry entry; /* in hub->subscriptions */
    spry_topic *topic;
    spry_conn *conn;
    spry_list in_topic, in_session;
} subscription;

static spry_topic *topic_of(spry_entry *entry) {
    return spry_container_of(entry, spry_topic, entry);
}

/* ---- topics ---- */

static spry_topic *find_topic(const spry_hub *hub, spry_slice name, uint64_t hash) {
    for (spry_entry *e = spry_table_find(&hub->topics, hash); e; e = spry_table_next(e)) {
        spry_topic *topic = topic_of(e);
        if (spry_slice_eq(spry_slice_of(topic->name, topic->len), name)) return topic;
    }
    return NULL;
}

static spry_topic *make_topic(spry_hub *hub, spry_slice name, uint64_t hash) {
    spry_topic *topic = malloc(sizeof *topic + name.len);
    if (!topic) return NULL;
    *topic = (spry_topic){.hub = hub, .len = (unsigned char)name.len};
    memcpy(topic->name, name.data, name.len);
    spry_list_init(&topic->subscribers);
    if (!spry_table_add(&hub->topics, &topic->entry, hash)) return topic;
    free(topic);
    return NULL;
}

static void free_if_empty(spry_topic *topic) {
    if (topic->count || topic->publishing) return;
    spry_table_remove(&topic->hub->topics, &topic->entry);
    free(topic);
}

static const spry_topic *first_from(const spry_hub *hub, size_t slot) {
    for (; slot < hub->topics.slot_count; slot++)
        if (hub->topics.slots[slot]) return topic_of(hub->topics.slots[slot]);
    return NULL;
}

const spry_topic *spry_hub_next(const spry_hub *hub, const spry_topic *last) {
    if (!last) return first_from(hub, 0);
    if (last->entry.next) return topic_of(last->entry.next);
    return first_from(hub, (last->entry.hash & (hub->topics.slot_count - 1)) + 1);
}

/* ---- subscriptions ---- */

static uint64_t pair_hash(const spry_topic *topic, const spry_conn *conn) {
    return spry_hash_number((uintptr_t)topic ^ spry_hash_number((uintptr_t)conn));
}

static subscription *find(const spry_topic *topic, const spry_conn *conn) {
    const spry_table *table = &topic->hub->subscriptions;
    spry_entry *e = spry_table_find(table, pair_hash(topic, conn));
    for (; e; e = spry_table_next(e)) {
        subscription *s = spry_container_of(e, subscription, entry);
        if (s->topic == topic && s->conn == conn) return s;
    }
    return NULL;
}

static int add(spry_topic *topic, spry_conn *conn) {
    subscription *s = malloc(sizeof *s);
    if (!s) return SPRY_ENOMEM;
    *s = (subscription){.topic = topic, .conn = conn};
    if (spry_table_add(&topic->hub->subscriptions, &s->entry, pair_hash(topic, conn))) {
        free(s);
        return SPRY_ENOMEM;
    }
    spry_list_push(&topic->subscribers, &s->in_topic);
    spry_list_push(&conn->session->topics, &s->in_session);
    topic->count++;
    return SPRY_OK;
}

static void end(subscription *s) {
    spry_topic *topic = s->topic;
    spry_list_remove(&s->in_topic);
    spry_list_remove(&s->in_session);
    spry_table_remove(&topic->hub->subscriptions, &s->entry);
    free(s);
    topic->count--;
    free_if_empty(topic);
}

int spry_hub_subscribe(spry_hub *hub, spry_slice name, spry_conn *conn) {
    uint64_t hash = spry_hash_bytes(hub->seed, name);
    spry_topic *topic = find_topic(hub, name, hash);
    if (!topic) topic = make_topic(hub, name, hash);
    if (!topic) return SPRY_ENOMEM;
    if (find(topic, conn)) return 1;
    int err = add(topic, conn);
    free_if_empty(topic);
    return err;
}

static subscription *find_by_name(const spry_hub *hub, spry_slice name, const spry_conn *conn) {
    const spry_topic *topic = find_topic(hub, name, spry_hash_bytes(hub->seed, name));
    return topic ? find(topic, conn) : NULL;
}

bool spry_hub_has(const spry_hub *hub, spry_slice name, const spry_conn *conn) {
    return find_by_name(hub, name, conn) != NULL;
}

bool spry_hub_unsubscribe(spry_hub *hub, spry_slice name, spry_conn *conn) {
    subscription *s = find_by_name(hub, name, conn);
    if (s) end(s);
    return s != NULL;
}

void spry_hub_leave(spry_session *session) {
    for (spry_list *link = session->topics.next, *next; link != &session->topics; link = next) {
        next = link->next;
        end(spry_container_of(link, subscription, in_session));
    }
}

/* ---- publishing ---- */

/* A message on its way, encoded once for all who take it in the same form. */
typedef struct delivery {
    spry_hub *hub;
    enum spry_message_kind kind;
    spry_slice payload;
    bool was_packed; /* hub->packed is the compressed frame, or empty: that would not be smaller */
} delivery;

/* The frame for those whom the pool compresses. */
static spry_slice packed_frame(delivery *d, spry_conn *conn) {
    spry_hub *hub = d->hub;
    if (!d->was_packed) {
        d->was_packed = true;
        hub->packed.len = 0;
        if (spry_deflate_put_shared(&conn->engine->deflate, &hub->packed, d->kind, d->payload) != 1)
            hub->packed.len = 0; /* without memory for it the plain one will do */
    }
    return spry_buf_slice(hub->packed.len ? &hub->packed : &hub->plain);
}

static bool deliver_to(delivery *d, spry_conn *conn) {
    switch (spry_ws_encoding(&conn->session->ws, d->payload.len)) {
    case SPRY_ENCODED_ALONE: return spry_session_send(conn, d->kind, d->payload) >= 0;
    case SPRY_ENCODED_SHARED: return spry_session_pass_on(conn, packed_frame(d, conn));
    default: return spry_session_pass_on(conn, spry_buf_slice(&d->hub->plain));
    }
}

/* A session that ends in here, since there is no memory or its peer is too slow, takes its own
 * subscription out of the list, and no other of this topic. */
static size_t deliver(delivery *d, spry_topic *topic, const spry_conn *except) {
    size_t receivers = 0;
    topic->publishing = true;
    for (spry_list *link = topic->subscribers.next, *next; link != &topic->subscribers;
         link = next) {
        next = link->next;
        spry_conn *conn = spry_container_of(link, subscription, in_topic)->conn;
        if (conn != except && deliver_to(d, conn)) receivers++;
    }
    topic->publishing = false;
    free_if_empty(topic);
    return receivers;
}

/* A buffer that one large message has grown is not kept for all the small ones. */
static void give_back(spry_buf *buf) {
    if (buf->cap > SPRY_OUTPUT_MARK) spry_buf_free(buf);
}

int spry_hub_publish(spry_hub *hub, spry_slice name, enum spry_message_kind kind,
                     spry_slice payload, const spry_conn *except, size_t *receivers) {
    *receivers = 0;
    spry_topic *topic = find_topic(hub, name, spry_hash_bytes(hub->seed, name));
    if (!topic) return SPRY_OK;
    hub->plain.len = 0;
    if (spry_frame_put(&hub->plain, kind, payload)) return SPRY_ENOMEM;
    delivery d = {.hub = hub, .kind = kind, .payload = payload};
    *receivers = deliver(&d, topic, except);
    give_back(&hub->plain);
    give_back(&hub->packed);
    return SPRY_OK;
}

/* ---- the hub ---- */

void spry_hub_init(spry_hub *hub) {
    *hub = (spry_hub){0};
    if (getrandom(&hub->seed, sizeof hub->seed, GRND_NONBLOCK) != (ssize_t)sizeof hub->seed)
        hub->seed = (uintptr_t)hub;
}

void spry_hub_free(spry_hub *hub) {
    spry_table_free(&hub->topics);
    spry_table_free(&hub->subscriptions);
    spry_buf_free(&hub->plain);
    spry_buf_free(&hub->packed);
}
