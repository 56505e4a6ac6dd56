/* An intrusive doubly linked list: the link is a field of what is listed, so that entering and
 * leaving allocate nothing. A link that is in no list points at itself. */
#ifndef SPRY_BASE_LIST_H
#define SPRY_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct spry_list {
    struct spry_list *next, *prev;
} spry_list;

/* Prepares a list head, or a link that is in no list yet. */
static inline void spry_list_init(spry_list *l) {
    l->next = l->prev = l;
}

static inline bool spry_list_empty(const spry_list *l) {
    return l->next == l;
}

/* Whether a link is in some list. */
static inline bool spry_list_linked(const spry_list *link) {
    return link->next != link;
}

/* Adds at the end. The link must be in no list. */
static inline void spry_list_push(spry_list *head, spry_list *link) {
    link->prev = head->prev, link->next = head;
    head->prev->next = link, head->prev = link;
}

/* Takes a link out of its list; harmless when it is in none. */
static inline void spry_list_remove(spry_list *link) {
    link->prev->next = link->next, link->next->prev = link->prev;
    spry_list_init(link);
}

/* Takes out and returns the first link, NULL when the list is empty. */
static inline spry_list *spry_list_pop(spry_list *head) {
    if (spry_list_empty(head)) return NULL;
    spry_list *link = head->next;
    spry_list_remove(link);
    return link;
}

#endif
