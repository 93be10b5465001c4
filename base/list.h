/* Intrusive doubly linked list. The head and each node are a struct list embedded in their owner.
 * Not thread-safe; never allocates. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"

struct list {
    struct list *next;
    struct list *prev;
};

static inline void list_init(struct list *list)
{
    list->next = list;
    list->prev = list;
}

static inline bool list_empty(const struct list *list)
{
    return list->next == list;
}

static inline void list_append(struct list *head, struct list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void list_prepend(struct list *head, struct list *node)
{
    list_append(head->next, node);
}

/* Leaves the node initialised, so that removing twice is harmless. */
static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Removes the first node of a list that is not empty, and returns it. */
static inline struct list *list_take_first(struct list *head)
{
    struct list *node = head->next;

    head->next = node->next;
    node->next->prev = head;
    list_init(node);
    return node;
}

/* Moves all nodes of source to the end of the empty list target. */
static inline void list_take_all(struct list *target, struct list *source)
{
    list_init(target);
    if (list_empty(source)) {
        return;
    }
    *target = *source;
    target->next->prev = target;
    target->prev->next = target;
    list_init(source);
}

/* The node may be removed inside the loop; its successor may not. */
#define list_for_each(node, head)                                                                  \
    for (struct list *node = (head)->next, *node##_next = node->next; node != (head);              \
         node = node##_next, node##_next = node->next)
